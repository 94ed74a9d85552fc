#include "services/profiles.hpp"

#include <fmt/format.h>

#include "wire/profile_json.hpp"

namespace backstay::services {

namespace {

Result<drift::Profile> read_profile(const BlobStore& blobs, const std::string& sha256, const std::string& name) {
  TRY(const Digest digest, Digest::from_hex(sha256));
  std::string text;
  TRY_DO(blobs.read(digest, [&](std::span<const std::byte> piece) -> Result<void> {
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }));
  return wire::profile_from_json(fmt::format("The profile of '{}'", name), text);
}

}  // namespace

Result<drift::Profile> profile_of(const BlobStore& blobs, const registry::DataSlice& slice) {
  if (slice.profile_sha256.empty())
    return Unexpected(ErrorCode::kNotFound, fmt::format("The slice '{}' has no profile.", slice.name),
                      "Only .csv, .tsv, .jsonl and .parquet files that were read by register have one.");
  return read_profile(blobs, slice.profile_sha256, slice.name);
}

Result<DataProfile> data_profile(const BlobStore& blobs, const registry::Manifest& manifest, const std::string& role) {
  DataProfile out;
  for (const registry::DataSet& set : manifest.data) {
    if (set.role != role) continue;
    for (const registry::DataSlice& slice : set.slices) {
      const std::string name = set.name + "/" + slice.name;
      if (slice.profile_sha256.empty()) {
        out.without.push_back(name);
        continue;
      }
      out.slices.push_back(name);
      if (!set.profile_sha256.empty()) continue;
      TRY(const drift::Profile profile, profile_of(blobs, slice));
      out.profile.merge(profile, drift::Profile::Absent::kUnknown);
    }
    if (set.profile_sha256.empty()) continue;
    TRY(const drift::Profile whole, read_profile(blobs, set.profile_sha256, set.name));
    out.profile.merge(whole, drift::Profile::Absent::kUnknown);
  }
  if (!out.slices.empty()) return out;
  return Unexpected(ErrorCode::kFailedPrecondition,
                    fmt::format("{} has no profile of its {} data.", manifest.ref.str(), role),
                    "Name the data as files in version.yaml (files:, or slices: with file:), so that register reads "
                    "and profiles it.");
}

}  // namespace backstay::services
