#pragma once

#include <filesystem>
#include <functional>

#include "services/local_files.hpp"
#include "wire/version_spec.hpp"

namespace backstay::services {

/// Files that are read in one pass to make one or more slices. Data stays where it is; a version remembers digests, row
/// counts and profiles.
struct PlannedSlices {
  std::size_t data_set = 0;
  std::optional<std::size_t> slice;  ///< Of the data set; nothing: slices are added for what is found.
  std::vector<FoundFile> files;      ///< name = as in version.yaml.
  std::string by;                    ///< Column, or with `folders` the key of folders like site=a.
  bool folders = false;
  std::vector<wire::RowRange> ranges;
  bool row_groups = false;
  bool profile = true;
  std::string rule;  ///< When it is made again: the rule that it was made by, of those that could be meant.

  /// A Parquet or Arrow file's rows are read, not only its bytes.
  bool reads_rows() const;
  /// How many bytes are read to measure it.
  std::uint64_t bytes() const;
};

/// The file at a path that version.yaml or a slice's sources name.
Result<FoundFile> find_data_file(const std::filesystem::path& folder, const std::string& path);

/// Finds the files and, where they are known before reading, adds the slices to the manifest.
Result<std::vector<PlannedSlices>> plan_data(const std::filesystem::path& folder, const wire::VersionSpec& spec,
                                             registry::Manifest& manifest);

struct DataSinks {
  /// Reads a file and tells how far it is.
  std::function<Result<void>(const FoundFile&, const std::function<Result<void>(std::span<const std::byte>)>&)> read;
  /// Keeps a profile and gives its digest.
  std::function<Result<Digest>(const std::string& json)> keep_profile;
  std::vector<std::string>& warnings;
  /// Told how many bytes were read in another way; may be empty.
  std::function<void(std::uint64_t)> advance{};
};

/// Reads the files and fills in digests, rows, rules, sources and profiles.
Result<void> measure_data(const std::vector<PlannedSlices>& plan, const DataSinks& sinks, registry::Manifest& manifest);

/// Makes a registered slice's digest again from its sources in `folder`, by its rule. kNotFound names a source that is
/// not there; kUnsupported when the slice has no sources.
Result<Digest> digest_again(const std::filesystem::path& folder, const registry::DataSlice& slice);

}  // namespace backstay::services
