#include "storage/local_blobs/chunker.hpp"

#include <algorithm>
#include <array>

namespace backstay::blobs {

namespace {

constexpr std::size_t kWindow = 64;
constexpr std::uint64_t kRare = std::uint64_t{1} << 46;
constexpr std::uint64_t kOften = std::uint64_t{1} << 50;

constexpr std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = 0x4241434b53544159;  // "BACKSTAY"
  for (std::uint64_t& value : gear) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    value = z ^ (z >> 31);
  }
  return gear;
}
constexpr std::array<std::uint64_t, 256> kGear = make_gear();

std::uint64_t roll(std::uint64_t hash, std::byte next) {
  return (hash << 1) + kGear[std::to_integer<std::size_t>(next)];
}

/// The first position in [from, to) where the hash is below `limit`, or `to`.
std::size_t scan(const std::byte* data, std::size_t from, std::size_t to, std::uint64_t limit, std::uint64_t& state) {
  std::uint64_t hash = state;
  std::size_t i = from;
  // Four at a time: the loop is most of what cutting costs.
  for (; i + 4 <= to; i += 4) {
    hash = roll(hash, data[i]);
    if (hash < limit) return i;
    hash = roll(hash, data[i + 1]);
    if (hash < limit) return i + 1;
    hash = roll(hash, data[i + 2]);
    if (hash < limit) return i + 2;
    hash = roll(hash, data[i + 3]);
    if (hash < limit) return i + 3;
  }
  for (; i < to; ++i) {
    hash = roll(hash, data[i]);
    if (hash < limit) return i;
  }
  state = hash;
  return to;
}

}  // namespace

std::size_t Chunker::find_end(std::span<const std::byte> chunk) {
  const std::size_t end = std::min(chunk.size(), kMaxChunk);
  std::size_t at = looked_at_;
  if (at < kMinChunk) {
    if (end <= kMinChunk) return 0;
    hash_ = 0;
    for (at = kMinChunk - kWindow; at < kMinChunk; ++at) hash_ = roll(hash_, chunk[at]);
  }
  for (const auto& [until, limit] : {std::pair{kNormalChunk, kRare}, std::pair{kMaxChunk, kOften}}) {
    const std::size_t stop = std::min(end, until);
    if (at >= stop) continue;
    at = scan(chunk.data(), at, stop, limit, hash_);
    if (at < stop) {
      looked_at_ = 0;
      return at + 1;
    }
  }
  looked_at_ = end == kMaxChunk ? 0 : at;
  return end == kMaxChunk ? kMaxChunk : 0;
}

}  // namespace backstay::blobs
