#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace backstay::blobs {

constexpr std::size_t kMinChunk = 32 * 1024;
constexpr std::size_t kNormalChunk = 64 * 1024;
constexpr std::size_t kMaxChunk = 256 * 1024;

/// Finds where chunks end by what is in them, so that a byte that is inserted or deleted moves the ends around it and
/// no others: FastCDC's normalised chunking (Xia et al., USENIX ATC 2016) with a hash that vector instructions make for
/// many places at once. A chunk ends after the first byte where the hash of the last 64 bytes is below a limit: 2^14 of
/// 2^32 (one in 2^18) up to kNormalChunk, 2^18 (one in 2^14) from there; never before kMinChunk, always at kMaxChunk.
/// So an end depends on its 64 bytes and on where the chunk began only. The hash (chunker.cpp) must never change, and
/// is the same on every processor: chunks would not be found again. Not thread-safe.
class Chunker {
 public:
  /// `chunk` is everything of the unfinished chunk that has arrived; the part that an earlier call saw is not looked at
  /// again. Returns the length of the chunk when it ends in it, else 0.
  std::size_t find_end(std::span<const std::byte> chunk);

 private:
  std::size_t looked_at_ = 0;
};

}  // namespace backstay::blobs
