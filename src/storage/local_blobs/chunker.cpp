#include "storage/local_blobs/chunker.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace backstay::blobs {

namespace {

constexpr std::size_t kWindow = 64;
constexpr std::uint32_t kRare = std::uint32_t{1} << 14;
constexpr std::uint32_t kOften = std::uint32_t{1} << 18;
constexpr std::uint32_t kMultiply = 0x9e3779b1;  // xxHash's first prime, and its second.
constexpr std::uint32_t kFinish = 0x85ebca77;
constexpr std::uint32_t kAdd = 0x42535459;  // "BSTY": a run of zeros is no chunk's end.

// How far the right half is turned when the hashes of two neighbours become that of both.
constexpr int kTurn8 = 7, kTurn16 = 11, kTurn32 = 15, kTurn64 = 22;

std::uint32_t hash_window(const std::byte* window) {
  std::array<std::uint32_t, kWindow / 4> parts;
  std::memcpy(parts.data(), window, kWindow);
  for (std::uint32_t& part : parts) part = part * kMultiply + kAdd;
  const auto of_8 = [&](std::size_t i) { return parts[i] + std::rotl(parts[i + 1], kTurn8); };
  const auto of_16 = [&](std::size_t i) { return of_8(i) + std::rotl(of_8(i + 2), kTurn16); };
  const auto of_32 = [&](std::size_t i) { return of_16(i) + std::rotl(of_16(i + 4), kTurn32); };
  return (of_32(0) + std::rotl(of_32(8), kTurn64)) * kFinish;
}

// A block of windows is hashed at once: each step is the same operation on many numbers. Windows that begin 4 bytes
// after each other share the parts that they are made of, so there are four rows of them, each a byte later.
constexpr std::size_t kRows = 4;
constexpr std::size_t kPerRow = 128;
constexpr std::size_t kBlock = kRows * kPerRow;
constexpr std::size_t kMostLanes = 16;
constexpr std::size_t kBlockReads = 4 * (kPerRow + kMostLanes + 1) + kRows - 1;
/// With what follows a row's windows: a vector of which the first few are needed, and one that is only read.
using Rows = std::array<std::array<std::uint32_t, kPerRow + 2 * kMostLanes>, kRows>;
using Lanes4 [[gnu::vector_size(16)]] = std::uint32_t;
using Lanes8 [[gnu::vector_size(32)]] = std::uint32_t;
using Lanes16 [[gnu::vector_size(64)]] = std::uint32_t;

template <class Lanes>
[[gnu::always_inline]] inline void load(const void* from, Lanes& into) {
  std::memcpy(&into, from, sizeof into);
}

/// The hashes of two neighbours become that of both, which takes the left one's place.
template <int kTurn, class Lanes>
[[gnu::always_inline]] inline void join(Lanes& left, const Lanes& right) {
  left += (right << kTurn) | (right >> (32 - kTurn));
}

/// Joins each of the first `count` of every row, or some more, with what is `apart` further on.
template <int kTurn, class Lanes>
[[gnu::always_inline]] inline void join_rows(const Rows& in, std::size_t apart, std::size_t count, Rows& out) {
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t i = 0; i < count; i += sizeof(Lanes) / 4) {
      Lanes left, right;
      load(&in[row][i], left);
      load(&in[row][i + apart], right);
      join<kTurn>(left, right);
      std::memcpy(&out[row][i], &left, sizeof left);
    }
  }
}

/// Which of the block's windows, the first of which begins at `windows`, is the first whose hash is below `limit`;
/// kBlock: none. Reads kBlockReads bytes.
template <class Lanes>
[[gnu::always_inline]] inline std::size_t scan_block(const std::byte* windows, std::uint32_t limit) {
  constexpr std::size_t kLanes = sizeof(Lanes) / 4;
  constexpr std::size_t kParts = kWindow / 4;
  // A whole step at a time: what was just stored can't be loaded at another offset for some cycles.
  alignas(64) Rows here, there;
  for (Rows* rows : {&here, &there})
    for (auto& row : *rows) std::fill(row.begin() + kPerRow, row.end(), 0);
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t i = 0; i < kPerRow + kParts - 2; i += kLanes) {
      Lanes left, right;
      load(windows + row + 4 * i, left);
      load(windows + row + 4 * (i + 1), right);
      left = left * kMultiply + kAdd;
      right = right * kMultiply + kAdd;
      join<kTurn8>(left, right);
      std::memcpy(&here[row][i], &left, sizeof left);
    }
  }
  join_rows<kTurn16, Lanes>(here, 2, kPerRow + kParts - 4, there);
  join_rows<kTurn32, Lanes>(there, 4, kPerRow + kParts - 8, here);
  Lanes any{};
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t i = 0; i < kPerRow; i += kLanes) {
      Lanes hash, right;
      load(&here[row][i], hash);
      load(&here[row][i + 8], right);
      join<kTurn64>(hash, right);
      hash *= kFinish;
      std::memcpy(&there[row][i], &hash, sizeof hash);
      any |= reinterpret_cast<Lanes>(hash < limit);
    }
  }
  std::uint32_t hit = 0;
  for (std::size_t i = 0; i < kLanes; ++i) hit |= any[i];
  if (hit == 0) return kBlock;
  for (std::size_t i = 0;; ++i)
    if (there[i % kRows][i / kRows] < limit) return i;
}

#ifdef __x86_64__
[[gnu::target("avx512f")]] std::size_t scan_block_avx512(const std::byte* windows, std::uint32_t limit) {
  return scan_block<Lanes16>(windows, limit);
}
[[gnu::target("avx2")]] std::size_t scan_block_avx2(const std::byte* windows, std::uint32_t limit) {
  return scan_block<Lanes8>(windows, limit);
}
#endif
std::size_t scan_block_any(const std::byte* windows, std::uint32_t limit) {
  return scan_block<Lanes4>(windows, limit);
}
using ScanBlock = std::size_t (*)(const std::byte*, std::uint32_t);
ScanBlock best_scan_block() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) return scan_block_avx512;
  if (__builtin_cpu_supports("avx2")) return scan_block_avx2;
#endif
  return scan_block_any;
}

/// The first position in [from, to) at which a window ends whose hash is below `limit`, or `to`.
std::size_t scan(std::span<const std::byte> data, std::size_t from, std::size_t to, std::uint32_t limit) {
  static const ScanBlock scan_block = best_scan_block();
  for (; to - from >= kBlock && data.size() - from + kWindow > kBlockReads; from += kBlock) {
    const std::size_t found = scan_block(&data[from + 1 - kWindow], limit);
    if (found < kBlock) return from + found;
  }
  for (; from < to; ++from)
    if (hash_window(&data[from + 1 - kWindow]) < limit) return from;
  return to;
}

}  // namespace

std::size_t Chunker::find_end(std::span<const std::byte> chunk) {
  const std::size_t end = std::min(chunk.size(), kMaxChunk);
  std::size_t at = std::max(looked_at_, kMinChunk);
  for (const auto& [until, limit] : {std::pair{kNormalChunk, kRare}, std::pair{kMaxChunk, kOften}}) {
    const std::size_t stop = std::min(end, until);
    if (at >= stop) continue;
    at = scan(chunk, at, stop, limit);
    if (at < stop) {
      looked_at_ = 0;
      return at + 1;
    }
  }
  looked_at_ = end == kMaxChunk ? 0 : at;
  return end == kMaxChunk ? kMaxChunk : 0;
}

}  // namespace backstay::blobs
