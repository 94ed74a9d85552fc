#include "services/profiles.hpp"

#include <fmt/format.h>

#include "wire/profile_json.hpp"

namespace backstay::services {

Result<drift::Profile> profile_of(const BlobStore& blobs, const registry::DataSlice& slice) {
  if (slice.profile_sha256.empty())
    return Unexpected(ErrorCode::kNotFound, fmt::format("The slice '{}' has no profile.", slice.name),
                      "Only .csv, .tsv, .jsonl and .parquet files that were read by register have one.");
  TRY(const Digest digest, Digest::from_hex(slice.profile_sha256));
  std::string text;
  TRY_DO(blobs.read(digest, [&](std::span<const std::byte> piece) -> Result<void> {
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }));
  return wire::profile_from_json(fmt::format("The profile of '{}'", slice.name), text);
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
      TRY(const drift::Profile profile, profile_of(blobs, slice));
      out.profile.merge(profile);
      out.slices.push_back(name);
    }
  }
  if (!out.slices.empty()) return out;
  return Unexpected(ErrorCode::kFailedPrecondition,
                    fmt::format("{} has no profile of its {} data.", manifest.ref.str(), role),
                    "Name the data as files in version.yaml (files:, or slices: with file:), so that register reads "
                    "and profiles it.");
}

}  // namespace backstay::services
