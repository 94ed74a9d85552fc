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

/// The first position in [from, to) where the hash is below `limit`, or `to`. `hash` is that before `from`, and after
/// `to` when nothing is found.
std::size_t scan_one_by_one(const std::byte* data, std::size_t from, std::size_t to, std::uint64_t limit,
                            std::uint64_t& hash) {
  for (std::size_t i = from; i < to; ++i) {
    hash = roll(hash, data[i]);
    if (hash < limit) return i;
  }
  return to;
}

/// The same of kLanes * kLane bytes. Each byte's hash waits for the one before it, but the bytes before the last 64
/// don't matter: so several places can be hashed at once.
constexpr std::size_t kLanes = 4;
constexpr std::size_t kLane = 1024;
std::size_t scan_lanes(const std::byte* data, std::size_t from, std::uint64_t limit, std::uint64_t& state) {
  const std::byte* base = data + from;
  const auto hash_before = [&](std::size_t lane) {
    std::uint64_t hash = 0;
    for (const std::byte* at = base + lane * kLane - kWindow; at < base + lane * kLane; ++at) hash = roll(hash, *at);
    return hash;
  };
  const std::array<std::uint64_t, kLanes> at_begin{state, hash_before(1), hash_before(2), hash_before(3)};
  // Variables of their own: the compiler keeps those in registers.
  std::uint64_t a = at_begin[0], b = at_begin[1], c = at_begin[2], d = at_begin[3];
  std::size_t hits = 0;
  for (std::size_t i = 0; i < kLane; ++i) {
    a = roll(a, base[i]);
    b = roll(b, base[i + kLane]);
    c = roll(c, base[i + 2 * kLane]);
    d = roll(d, base[i + 3 * kLane]);
    hits += static_cast<std::size_t>(a < limit) + static_cast<std::size_t>(b < limit);
    hits += static_cast<std::size_t>(c < limit) + static_cast<std::size_t>(d < limit);
  }
  state = d;
  const std::size_t to = from + kLanes * kLane;
  if (hits == 0) return to;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {  // Rare: look again where it was.
    std::uint64_t again = at_begin[lane];
    const std::size_t begin = from + lane * kLane;
    if (const std::size_t found = scan_one_by_one(data, begin, begin + kLane, limit, again); found < begin + kLane)
      return found;
  }
  return to;
}

std::size_t scan(const std::byte* data, std::size_t from, std::size_t to, std::uint64_t limit, std::uint64_t& hash) {
  for (; to - from >= kLanes * kLane; from += kLanes * kLane) {
    const std::size_t found = scan_lanes(data, from, limit, hash);
    if (found < from + kLanes * kLane) return found;
  }
  return scan_one_by_one(data, from, to, limit, hash);
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
