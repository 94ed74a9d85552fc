#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "storage/local_blobs/chunk_shelf.hpp"
#include "storage/local_blobs/chunker.hpp"

namespace backstay::blobs {

/// Two threads that share the work of storing a large blob. SHA-256 can't be shared out, so one thread does nothing but
/// that: it hashes buffer after buffer and keeps the digest at each chunk's end. The caller's reads into buffers, cuts
/// chunks, looks them up, and hands on what is new (see AppendStream). Eight buffers of 512 KiB and
/// their overlaps: with fewer, one would be filled anew while its lines are still in the other processor's cache.
class ChunkPipeline {
 public:
  explicit ChunkPipeline(StoreParts& store);
  ~ChunkPipeline();
  ChunkPipeline(const ChunkPipeline&) = delete;
  ChunkPipeline& operator=(const ChunkPipeline&) = delete;

  std::span<std::byte> space();
  Result<void> filled(std::size_t bytes);
  struct Done {
    Digest sha256;
    Recipe recipe;
  };
  /// After the last byte; at least one has come.
  Result<Done> finish();
  bool any() const { return any_; }

 private:
  static constexpr std::size_t kBufferBytes = 512 * 1024;
  /// [kMaxChunk - unfinished chunk of the buffer before | bytes]
  struct Buffer {
    std::vector<std::byte> memory = std::vector<std::byte>(kMaxChunk + kBufferBytes);
    std::size_t size = 0;           ///< Bytes after the overlap.
    std::vector<std::size_t> ends;  ///< Of chunks, counted from the first byte after the overlap.
    std::span<std::byte> bytes() { return std::span(memory).subspan(kMaxChunk); }
  };
  Result<void> submit(bool last);
  void cut(Buffer& buffer);
  Result<void> store(Buffer& buffer, bool last);
  void hash();

  // The caller's own.
  std::array<Buffer, 8> buffers_;
  std::uint64_t submitted_ = 0;  ///< Buffers, of which the last ones may not be hashed yet.
  bool any_ = false;
  ChunkShelf shelf_;
  Chunker chunker_;
  std::size_t tail_ = 0;  ///< Of the unfinished chunk, before the buffer's first byte.

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t ready_ = 0;   ///< Buffers to hash, of all that there were.
  std::uint64_t hashed_ = 0;  ///< Of these.
  bool stop_ = false;

  // The hashing thread's until all is hashed.
  Sha256 sha256_;
  std::vector<Digest> prefixes_;
  std::thread hasher_;
};

}  // namespace backstay::blobs
