#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ports/blob_store.hpp"
#include "wire/version_spec.hpp"

/// Files of this machine on their way into the registry: hostile until looked at.
namespace backstay::services {

struct FoundFile {
  std::filesystem::path source;
  std::string name;  ///< Relative, "/"-separated, checked.
  std::uint64_t size_bytes = 0;
};

/// The regular files that `files` stand for, folders walked, in the order of their names. Refuses symlinks, devices,
/// sockets, names that leave the version, a name twice, and folders without a file.
Result<std::vector<FoundFile>> find_files(const std::filesystem::path& base, const std::vector<wire::LocalFile>& files);

/// Feeds a file to `sink` in pieces of at most 1 MiB. Fails when the file is not a regular file (symlinks are not
/// followed) or changes meanwhile.
Result<void> read_file(const std::filesystem::path& path,
                       const std::function<Result<void>(std::span<const std::byte>)>& sink);

/// The same into a blob's writer, without a copy; `on_piece` hears how many bytes came.
Result<void> read_file_into(const std::filesystem::path& path, BlobWriter& writer,
                            const std::function<void(std::uint64_t)>& on_piece);

}  // namespace backstay::services
