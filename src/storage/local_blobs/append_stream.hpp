#pragma once

#include <array>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

#include "storage/local_blobs/disk.hpp"

namespace backstay::blobs {

/// Appends to one file while the caller goes on: a thread of its own writes blocks of 1 MiB past the page cache
/// (O_DIRECT), which saves copying into the cache and writing back, and leaves the last sync little to wait for. Where
/// the file system can't do that, it writes into the cache. Holds 4 MiB. One caller at a time.
class AppendStream {
 public:
  /// `fd`: an empty file, open for reading and writing, that stays open as long as this lives.
  AppendStream(Disk& disk, int fd, fs::path path);
  ~AppendStream();
  AppendStream(const AppendStream&) = delete;
  AppendStream& operator=(const AppendStream&) = delete;

  std::uint64_t size() const { return submitted_ + filled_; }
  /// Tells of an earlier block's failure, too.
  Result<void> append(std::span<const std::byte> bytes);
  /// Bytes that were appended. Waits for the blocks that hold them.
  Result<void> read(std::uint64_t offset, std::span<std::byte> into);
  /// Everything is in the file, which is written in the usual way from here on. Not synced.
  Result<void> finish();

 private:
  static constexpr std::size_t kBlockBytes = 1024 * 1024;
  static constexpr std::size_t kAlignment = 4096;  ///< Of memory, offsets and sizes; no disk wants more.
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  using Block = std::unique_ptr<std::byte, Free>;

  Result<void> submit();
  Result<void> wait_until_written(std::uint64_t end);
  Result<void> write_block(std::uint64_t offset, std::span<const std::byte> block);
  void work();
  void stop();

  Disk& disk_;
  const int fd_;
  const fs::path path_;
  bool direct_ = false;

  // The caller's.
  std::array<Block, 4> blocks_;
  std::size_t filling_ = 0;  ///< Of blocks_.
  std::size_t filled_ = 0;
  std::uint64_t submitted_ = 0;  ///< Bytes.

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t wanted_ = 0;   ///< Bytes that the thread is to write.
  std::uint64_t written_ = 0;  ///< Bytes that it has written: blocks are written in order, whole ones only.
  Result<void> problem_;
  bool stop_ = false;
  std::thread worker_;
};

}  // namespace backstay::blobs
