#include "storage/local_blobs/append_stream.hpp"

#include <fcntl.h>
#include <unistd.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace backstay::blobs {

namespace {

/// Whether the file system takes writes past the page cache; `on`: from now on it gets them.
bool set_direct(int fd, bool on) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

/// memcpy() past the caches: nobody here reads a block again, and a disk that is another processor's work has its lines
/// in that one's cache, from where each would be fetched first, only to be overwritten.
void copy_uncached(std::byte* to, const std::byte* from, std::size_t size) {
#ifdef __SSE2__
  constexpr std::size_t kVector = sizeof(__m128i);
  constexpr std::size_t kLine = 4 * kVector;
  const std::size_t to_aligned = (kVector - reinterpret_cast<std::uintptr_t>(to) % kVector) % kVector;
  const std::size_t head = std::min(size, to_aligned);
  std::memcpy(to, from, head);
  std::size_t at = head;
  for (; size - at >= kLine; at += kLine) {
    __m128i line[4];
    std::memcpy(line, from + at, kLine);
    auto* const out = reinterpret_cast<__m128i*>(to + at);
    for (std::size_t i = 0; i < 4; ++i) _mm_stream_si128(out + i, line[i]);
  }
  std::memcpy(to + at, from + at, size - at);
  _mm_sfence();  // Before another thread is told of them.
#else
  std::memcpy(to, from, size);
#endif
}

}  // namespace

AppendStream::AppendStream(Disk& disk, int fd, fs::path path) : disk_(disk), fd_(fd), path_(std::move(path)) {
  for (Block& block : blocks_) {
    block.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, kBlockBytes)));
    if (!block) throw std::bad_alloc();
  }
  direct_ = set_direct(fd_, true);
  worker_ = std::thread([this] { work(); });
}

AppendStream::~AppendStream() {
  stop();
}

void AppendStream::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

Result<void> AppendStream::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t piece = std::min(bytes.size(), kBlockBytes - filled_);
    copy_uncached(blocks_[filling_].get() + filled_, bytes.data(), piece);
    filled_ += piece;
    bytes = bytes.subspan(piece);
    if (filled_ == kBlockBytes) TRY_DO(submit());
  }
  return {};
}

/// Hands the full block over and waits until the one that is filled next was written.
Result<void> AppendStream::submit() {
  submitted_ += kBlockBytes;
  filled_ = 0;
  filling_ = (filling_ + 1) % blocks_.size();
  {
    const std::lock_guard lock(mutex_);
    wanted_ = submitted_;
  }
  changed_.notify_all();
  const std::uint64_t others = (blocks_.size() - 1) * kBlockBytes;
  return wait_until_written(submitted_ > others ? submitted_ - others : 0);
}

Result<void> AppendStream::wait_until_written(std::uint64_t end) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return written_ >= end || !problem_; });
  return problem_;
}

Result<void> AppendStream::read(std::uint64_t offset, std::span<std::byte> into) {
  const std::uint64_t end = offset + into.size();
  const std::uint64_t in_file = std::min<std::uint64_t>(end, submitted_);
  if (offset < in_file) {
    TRY_DO(wait_until_written(in_file));
    // Through a descriptor that reads in the usual way: places in a pack are not aligned.
    TRY(const OpenFile file, open_file(path_));
    TRY_DO(read_at(file.file.get(), offset, into.first(in_file - offset), path_));
    into = into.subspan(in_file - offset);
    offset = in_file;
  }
  if (!into.empty()) std::memcpy(into.data(), blocks_[filling_].get() + (offset - submitted_), into.size());
  return {};
}

Result<void> AppendStream::finish() {
  TRY_DO(wait_until_written(submitted_));
  stop();
  if (direct_ && !set_direct(fd_, false)) return failed("cannot write " + path_.string());
  if (filled_ > 0) TRY_DO(disk_.write(fd_, std::span(blocks_[filling_].get(), filled_), path_));
  return {};
}

void AppendStream::work() {
  std::unique_lock lock(mutex_);
  for (std::size_t number = 0;; number = (number + 1) % blocks_.size()) {
    changed_.wait(lock, [this] { return stop_ || wanted_ > written_; });
    if (stop_) return;
    const std::uint64_t offset = written_;
    lock.unlock();
    Result<void> done = write_block(offset, std::span<const std::byte>(blocks_[number].get(), kBlockBytes));
    lock.lock();
    if (done) {
      written_ += kBlockBytes;
    } else {
      problem_ = std::move(done);
    }
    changed_.notify_all();
    if (!problem_) return;
  }
}

Result<void> AppendStream::write_block(std::uint64_t offset, std::span<const std::byte> block) {
  errno = 0;
  Result<void> done = disk_.write(fd_, block, path_);
  if (done || !direct_ || errno != EINVAL) return done;
  // A file system that takes the flag and not the writes; or a part of the block was written and the rest is not
  // aligned.
  direct_ = false;
  if (!set_direct(fd_, false) || lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0)
    return failed("cannot write " + path_.string());
  return disk_.write(fd_, block, path_);
}

}  // namespace backstay::blobs
