#include "domain/scan/bytes.hpp"

#include <algorithm>
#include <cstring>

namespace backstay::scan {

namespace {
constexpr std::size_t kBufferBytes = 64 * 1024;
}

Result<std::size_t> MemorySource::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= bytes_.size()) return std::size_t{0};
  const std::size_t count = std::min(out.size(), bytes_.size() - static_cast<std::size_t>(offset));
  if (count > 0) std::memcpy(out.data(), bytes_.data() + offset, count);
  return count;
}

SliceSource::SliceSource(const ByteSource& whole, std::uint64_t offset, std::uint64_t size)
    : whole_(whole), offset_(std::min(offset, whole.size())), size_(std::min(size, whole.size() - offset_)) {}

Result<std::size_t> SliceSource::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= size_) return std::size_t{0};
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - offset));
  return whole_.read_at(offset_ + offset, out.first(count));
}

bool Cursor::fill() {
  if (!failure_) return false;
  if (position_ >= buffer_at_ && position_ < buffer_at_ + buffer_.size()) return true;
  buffer_.resize(kBufferBytes);
  buffer_at_ = position_;
  const auto got = source_.read_at(position_, buffer_);
  if (!got) failure_ = Unexpected(Error(got.error()));
  buffer_.resize(got ? *got : 0);
  return !buffer_.empty();
}

bool Cursor::byte(std::uint8_t& out) {
  if (!fill()) return false;
  out = static_cast<std::uint8_t>(buffer_[static_cast<std::size_t>(position_ - buffer_at_)]);
  ++position_;
  return true;
}

bool Cursor::number(std::size_t bytes, std::uint64_t& out) {
  out = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    std::uint8_t next = 0;
    if (!byte(next)) return false;
    out |= static_cast<std::uint64_t>(next) << (8 * i);
  }
  return true;
}

bool Cursor::skip(std::uint64_t count) {
  if (count > left()) return false;
  position_ += count;
  return true;
}

bool Cursor::take(std::size_t count, std::string& out) {
  out.clear();
  if (count > left()) return false;
  while (out.size() < count) {
    if (!fill()) return false;
    const auto from = static_cast<std::size_t>(position_ - buffer_at_);
    const std::size_t piece = std::min(count - out.size(), buffer_.size() - from);
    out.append(reinterpret_cast<const char*>(buffer_.data()) + from, piece);
    position_ += piece;
  }
  return true;
}

bool Cursor::line(std::size_t most, std::string& out, bool& whole) {
  out.clear();
  whole = true;
  while (fill()) {
    const auto from = static_cast<std::size_t>(position_ - buffer_at_);
    const char* begin = reinterpret_cast<const char*>(buffer_.data()) + from;
    const std::size_t there = buffer_.size() - from;
    const void* end = std::memchr(begin, '\n', there);
    const std::size_t length = end != nullptr ? static_cast<std::size_t>(static_cast<const char*>(end) - begin) : there;
    const std::size_t kept = std::min(length, most - out.size());
    out.append(begin, kept);
    if (kept < length) whole = false;
    position_ += length;
    if (end == nullptr) continue;
    ++position_;
    return true;
  }
  return false;
}

std::string Cursor::peek(std::size_t count) {
  const std::uint64_t here = position_;
  std::string out;
  take(static_cast<std::size_t>(std::min<std::uint64_t>(count, left())), out);
  position_ = here;
  return out;
}

}  // namespace backstay::scan
