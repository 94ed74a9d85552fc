#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ports/recordings.hpp"

/// A recording is a file of blocks, each readable by itself. All numbers are little-endian. Blocks of before have the
/// magic "BSR1" and fewer fields.
///
///     block:        magic "BSR2" | kind u8 | 3 zero bytes | bytes of the payload u32 | XXH3-64 of the payload u64 |
///     payload kPolicy:      the policy's text kObservations zstd of: count u32 | each field of all observations after
///     one another (columns compress better) kEnd:         why something is missing at the end, a sentence; empty:
///     nothing is
///     kPause:       nothing: the server stopped in good order; kPolicy or kResume follows
///     kResume:      nothing: the server was started again, and the guardrails went on with what is before this
namespace backstay::recordings {

enum class BlockKind : std::uint8_t { kPolicy = 1, kObservations = 2, kEnd = 3, kPause = 4, kResume = 5 };
inline constexpr unsigned kLastKind = 5;

inline constexpr unsigned kFormat = 2;
inline constexpr std::size_t kBlockHead = 20;
inline constexpr std::size_t kMaxPayload = 16 * 1024 * 1024;
inline constexpr std::size_t kMaxObservations = 16'384;  ///< In one block.

std::string encode_block(BlockKind kind, std::string_view payload);
/// At most kMaxObservations of them.
std::string encode_observations(std::span<const Observation> observations);

struct BlockHead {
  BlockKind kind = BlockKind::kPolicy;
  unsigned format = kFormat;
  std::uint32_t payload_bytes = 0;
  std::uint64_t checksum = 0;
};
/// kIntegrity when it is none.
Result<BlockHead> decode_head(std::span<const std::byte, kBlockHead> bytes);
/// Whether the payload is the one that was written.
bool matches(const BlockHead& head, std::span<const std::byte> payload);
/// kIntegrity for anything but what encode_observations made, or made when `format` was its format.
Result<std::vector<Observation>> decode_observations(std::span<const std::byte> payload, unsigned format = kFormat);

}  // namespace backstay::recordings
