#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace backstay::scan {

/// Bytes that can be read anywhere: a stored blob, a file, a member of an archive. Not thread-safe. An error is one of
/// the medium (a disk that fails), never of the content.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  /// Reads up to out.size() bytes at `offset`; fewer only at the end.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const = 0;
};

/// Bytes in memory, which must outlive it.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  std::string_view bytes_;
};

/// A part of another source, which must outlive it.
class SliceSource : public ByteSource {
 public:
  SliceSource(const ByteSource& whole, std::uint64_t offset, std::uint64_t size);
  std::uint64_t size() const override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  const ByteSource& whole_;
  std::uint64_t offset_;
  std::uint64_t size_;
};

/// Reads a source from front to back through a buffer of 64 KiB. A failure of the medium ends the bytes; failure() has
/// it then.
class Cursor {
 public:
  explicit Cursor(const ByteSource& source, std::uint64_t offset = 0) : source_(source), position_(offset) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return position_ < source_.size() ? source_.size() - position_ : 0; }
  void seek(std::uint64_t offset) { position_ = offset; }

  bool byte(std::uint8_t& out);
  /// A little-endian number of 1 to 8 bytes.
  bool number(std::size_t bytes, std::uint64_t& out);
  /// Exactly `count` bytes; false when there are fewer.
  bool skip(std::uint64_t count);
  bool take(std::size_t count, std::string& out);
  /// Up to and without the next newline, of which at most `most` bytes are kept; `whole` tells whether that is all.
  bool line(std::size_t most, std::string& out, bool& whole);
  /// At most `count` bytes from here, without moving.
  std::string peek(std::size_t count);

  const Result<void>& failure() const { return failure_; }

 private:
  bool fill();
  const ByteSource& source_;
  std::uint64_t position_;
  std::vector<std::byte> buffer_;
  std::uint64_t buffer_at_ = 0;
  Result<void> failure_;
};

}  // namespace backstay::scan
