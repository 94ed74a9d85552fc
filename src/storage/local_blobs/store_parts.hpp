#pragma once

#include <atomic>
#include <chrono>
#include <mutex>

#include "storage/local_blobs/chunk_index.hpp"
#include "storage/local_blobs/disk.hpp"

namespace backstay::blobs {

/// How much the store may hold. Counts what this process adds; what others add or remove is seen when the folders are
/// looked at again, which is at most every 10 s and before anything is refused. Thread-safe.
class Quota {
 public:
  Quota(Layout layout, std::uint64_t limit_bytes) : layout_(std::move(layout)), limit_(limit_bytes) {}
  /// kResourceExhausted when a blob of this size can't fit even into what is free and shared.
  Result<void> expect(std::uint64_t bytes);
  Result<void> take(std::uint64_t bytes);
  /// What was taken is not stored after all; or it is in its place.
  void give_back(std::uint64_t bytes);
  void settle(std::uint64_t bytes);

 private:
  Result<void> look(bool now);
  Unexpected refused(std::uint64_t bytes) const;

  const Layout layout_;
  const std::uint64_t limit_;  ///< 0: none.
  std::mutex mutex_;
  std::uint64_t used_ = 0;
  std::uint64_t open_ = 0;  ///< Taken by writers that are not done: some of it may not have reached their files yet.
  std::optional<std::chrono::steady_clock::time_point> looked_;
};

/// What the parts of the store share.
struct StoreParts {
  Disk& disk;
  Layout layout;
  Quota quota;
  ChunkIndex index;
  std::atomic<bool> reflinks{true};  ///< False: the file system was asked and can't.
};

/// Sum of the sizes of the files under a folder, and how many.
struct FolderSize {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
};
Result<FolderSize> size_of_folder(const fs::path& folder);

}  // namespace backstay::blobs
