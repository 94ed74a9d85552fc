#include <algorithm>
#include <bit>
#include <cstring>

#include "tables/parquet_encodings.hpp"

/// The two readers of packed numbers that the other encodings are made of.
namespace backstay::tables {

static_assert(std::endian::native == std::endian::little, "Parquet is little-endian, as are the machines this is for.");

namespace {

bool take_varint(std::string_view& bytes, std::uint64_t& out) {
  out = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto part = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    out |= static_cast<std::uint64_t>(part & 0x7f) << shift;
    if ((part & 0x80) == 0) return true;
  }
  return false;
}

/// The `width` bits (0 to 64) from bit `at` on; the caller has seen that they are there.
std::uint64_t bits_at(std::string_view bytes, std::uint64_t at, unsigned width) {
  if (width == 0) return 0;
  const std::size_t byte = at / 8;
  const unsigned shift = at % 8;
  std::uint64_t low = 0;
  std::memcpy(&low, bytes.data() + byte, std::min<std::size_t>(8, bytes.size() - byte));
  low >>= shift;
  if (shift + width > 64)
    low |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[byte + 8])) << (64 - shift);
  return width == 64 ? low : low & ((std::uint64_t{1} << width) - 1);
}

}  // namespace

bool RunReader::next_run() {
  std::uint64_t head = 0;
  if (!take_varint(bytes_, head)) return false;
  if ((head & 1) == 0) {
    const auto size = static_cast<std::size_t>((bits_ + 7) / 8);
    if (size > bytes_.size()) return false;
    value_ = 0;
    std::memcpy(&value_, bytes_.data(), size);
    bytes_.remove_prefix(size);
    repeated_ = head >> 1;
    return bits_ >= 32 || (value_ >> bits_) == 0;
  }
  // Groups of eight. The last may be cut where the page ends.
  const std::uint64_t groups = head >> 1;
  if (bits_ == 0) {
    value_ = 0;
    repeated_ = std::min<std::uint64_t>(groups, UINT64_MAX / 8) * 8;
    return true;
  }
  const auto bits = static_cast<std::uint64_t>(bits_);
  const std::uint64_t size =
      std::min<std::uint64_t>(bytes_.size(), groups > bytes_.size() ? bytes_.size() : groups * bits);
  group_ = bytes_.substr(0, static_cast<std::size_t>(size));
  bytes_.remove_prefix(group_.size());
  packed_ = std::min(group_.size() * 8 / bits, groups > bytes_.max_size() / 8 ? UINT64_MAX : groups * 8);
  bit_ = 0;
  return packed_ > 0 || groups == 0;
}

template <class Value>
bool RunReader::read(Value* out, std::size_t count) {
  while (count > 0) {
    if (repeated_ == 0 && packed_ == 0) {
      if (!next_run()) return false;
      continue;
    }
    if (repeated_ > 0) {
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(count, repeated_));
      std::fill_n(out, part, static_cast<Value>(value_));
      repeated_ -= part;
      out += part;
      count -= part;
      continue;
    }
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(count, packed_));
    const auto width = static_cast<unsigned>(bits_);
    for (std::size_t i = 0; i < part; ++i, bit_ += width) *out++ = static_cast<Value>(bits_at(group_, bit_, width));
    packed_ -= part;
    count -= part;
  }
  return true;
}

template bool RunReader::read(std::uint8_t*, std::size_t);
template bool RunReader::read(std::uint32_t*, std::size_t);

DeltaReader::DeltaReader(std::string_view bytes) : bytes_(bytes) {
  constexpr std::uint64_t kMaxBlock = 1 << 20;
  std::uint64_t miniblocks = 0;
  std::uint64_t zigzag = 0;
  if (!take_varint(bytes_, per_block_) || !take_varint(bytes_, miniblocks) || !take_varint(bytes_, left_) ||
      !take_varint(bytes_, zigzag) || per_block_ == 0 || per_block_ > kMaxBlock || miniblocks == 0 ||
      per_block_ % miniblocks != 0 || per_block_ / miniblocks % 8 != 0) {
    left_ = 0;
    return;
  }
  per_miniblock_ = per_block_ / miniblocks;
  value_ = (zigzag >> 1) ^ (~(zigzag & 1) + 1);
}

bool DeltaReader::next_miniblock() {
  if (widths_.empty()) {
    std::uint64_t zigzag = 0;
    const auto miniblocks = static_cast<std::size_t>(per_block_ / per_miniblock_);
    if (!take_varint(bytes_, zigzag) || bytes_.size() < miniblocks) return false;
    least_ = (zigzag >> 1) ^ (~(zigzag & 1) + 1);
    widths_ = bytes_.substr(0, miniblocks);
    bytes_.remove_prefix(miniblocks);
  }
  width_ = static_cast<unsigned char>(widths_.front());
  widths_.remove_prefix(1);
  const auto size = static_cast<std::size_t>(per_miniblock_ / 8 * width_);
  if (width_ > 64 || size > bytes_.size()) return false;
  body_ = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  bit_ = 0;
  in_miniblock_ = per_miniblock_;
  return true;
}

bool DeltaReader::read(std::int64_t* out, std::size_t count) {
  if (count > left_) return false;
  left_ -= count;
  for (std::size_t i = 0; i < count; ++i) {
    if (first_) {
      first_ = false;
    } else {
      if (in_miniblock_ == 0 && !next_miniblock()) return false;
      value_ += least_ + bits_at(body_, bit_, width_);
      bit_ += width_;
      --in_miniblock_;
    }
    out[i] = static_cast<std::int64_t>(value_);
  }
  return true;
}

}  // namespace backstay::tables
