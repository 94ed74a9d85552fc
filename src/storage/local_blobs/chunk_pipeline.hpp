#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "storage/local_blobs/chunk_shelf.hpp"
#include "storage/local_blobs/chunker.hpp"

namespace backstay::blobs {

/// Two threads that share the work of storing a large blob: the caller's reads into buffers and computes the SHA-256 of
/// the whole; one of its own cuts chunks, looks them up, and writes what is new. The caller hashes one buffer behind,
/// so that it knows the chunks' ends and can keep the digest at each. Four buffers of 512 KiB and their overlaps.
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
  /// [kMaxChunk - tail of the buffer before | bytes]
  struct Buffer {
    std::vector<std::byte> memory = std::vector<std::byte>(kMaxChunk + kBufferBytes);
    std::size_t size = 0;           ///< Bytes after the overlap.
    std::vector<std::size_t> ends;  ///< Of chunks, counted from the first byte after the overlap.
    bool cut = false;               ///< `ends` is complete.
    bool stored = false;
    std::span<std::byte> bytes() { return std::span(memory).subspan(kMaxChunk); }
  };
  void submit(bool last);
  void hash_cut_buffer(Buffer& buffer);
  Buffer& wait_for_free();
  Result<void> failure();
  void work();
  void cut(Buffer& buffer);
  Result<void> store(Buffer& buffer, bool last);

  std::array<Buffer, 4> buffers_;
  std::size_t filling_ = 0;
  std::optional<std::size_t> unhashed_;
  Sha256 sha256_;
  std::vector<Digest> prefixes_;
  bool any_ = false;

  // The worker's own.
  ChunkShelf shelf_;
  Chunker chunker_;
  std::size_t tail_ = 0;  ///< Of the unfinished chunk, before the buffer's first byte.

  std::mutex mutex_;
  std::condition_variable changed_;
  struct Task {
    std::size_t buffer;
    bool last;
  };
  std::deque<Task> tasks_;
  bool stop_ = false;
  bool done_ = false;
  Result<void> problem_;
  std::thread worker_;
};

}  // namespace backstay::blobs
