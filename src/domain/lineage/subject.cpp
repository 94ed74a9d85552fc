#include "domain/lineage/subject.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::lineage {

namespace {

using Kind = Subject::Kind;

constexpr Kind kKinds[] = {Kind::kSlice, Kind::kSliceDigest, Kind::kDataSet, Kind::kCommit, Kind::kVersion};

bool any_slice(const registry::Manifest& manifest, const Subject& subject) {
  for (const registry::DataSet& set : manifest.data) {
    for (const registry::DataSlice& slice : set.slices) {
      if (subject.kind == Kind::kSliceDigest ? slice.sha256.hex() == subject.text
                                             : set.name + "/" + slice.name == subject.text)
        return true;
    }
  }
  return false;
}

}  // namespace

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::kSlice: return "slice";
    case Kind::kSliceDigest: return "slice_digest";
    case Kind::kDataSet: return "data_set";
    case Kind::kCommit: return "commit";
    case Kind::kVersion: return "version";
  }
  return "slice";
}

Result<Kind> subject_kind(const std::string& text) {
  for (const Kind kind : kKinds)
    if (text == to_string(kind)) return kind;
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no kind of subject.", text),
                    "Use slice, slice_digest, data_set, commit or version.");
}

std::string describe(const Subject& subject) {
  switch (subject.kind) {
    case Kind::kSlice: return "slice " + subject.text;
    case Kind::kSliceDigest: return "slice sha256:" + subject.text.substr(0, 12);
    case Kind::kDataSet: return "data set " + subject.text;
    case Kind::kCommit: return "commit " + subject.text.substr(0, 12);
    case Kind::kVersion: return "version " + subject.text;
  }
  return subject.text;
}

bool concerns(const Subject& subject, const registry::Manifest& manifest) {
  switch (subject.kind) {
    case Kind::kSlice:
    case Kind::kSliceDigest: return any_slice(manifest, subject);
    case Kind::kDataSet:
      return std::any_of(manifest.data.begin(), manifest.data.end(),
                         [&](const registry::DataSet& set) { return set.name == subject.text; });
    case Kind::kCommit: return manifest.code.commit == subject.text;
    case Kind::kVersion: return manifest.ref.str() == subject.text;
  }
  return false;
}

}  // namespace backstay::lineage
