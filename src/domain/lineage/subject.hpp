#pragma once

#include <string>

#include "domain/registry/manifest.hpp"

/// What versions come from and where they went: the graph from data slices, code and configuration over versions to
/// endpoints, walked both ways.
namespace backstay::lineage {

/// Something that versions are made from, or a version: what a question about impact, or a quarantine, is about.
struct Subject {
  enum class Kind : std::uint8_t { kSlice, kSliceDigest, kDataSet, kCommit, kVersion };
  Kind kind = Kind::kSlice;
  /// kSlice: "data set/slice"; kSliceDigest: 64 hex digits; kDataSet: its name; kCommit: as recorded; kVersion:
  /// "model@2.1.0".
  std::string text;
  bool operator==(const Subject&) const = default;
};
const char* to_string(Subject::Kind kind);  ///< "slice", "slice_digest", "data_set", "commit", "version"
Result<Subject::Kind> subject_kind(const std::string& text);

/// "slice wdbc/site-d", "commit 5e6f7a8"
std::string describe(const Subject& subject);

/// Whether this version itself was made from the subject, or is it; parents are the caller's to walk.
bool concerns(const Subject& subject, const registry::Manifest& manifest);

}  // namespace backstay::lineage
