#pragma once

#include <memory>

#include "ports/blob_store.hpp"
#include "storage/local_blobs/chunk_pipeline.hpp"

namespace backstay::blobs {

/// A blob up to this size is one file; a larger one is stored in chunks.
constexpr std::uint64_t kWholeBytes = 4 * 1024 * 1024;

/// Writes a small blob to a file at once and a large one through a ChunkPipeline; which it is shows when more than
/// kWholeBytes have come, or is known from the beginning.
class LocalBlobWriter : public BlobWriter {
 public:
  static Result<std::unique_ptr<BlobWriter>> make(StoreParts& store, std::uint64_t expected_bytes);
  LocalBlobWriter(StoreParts& store, Temporary file) : store_(store), file_(std::move(file)) {}
  ~LocalBlobWriter() override;

  Result<std::span<std::byte>> space() override;
  Result<void> filled(std::size_t bytes) override;
  Result<BlobInfo> commit() override;

 private:
  Result<void> change_to_chunks();
  Result<BlobInfo> commit_whole();
  Result<BlobInfo> commit_chunks();
  Result<void> drop_damaged_whole(const Digest& sha256);

  StoreParts& store_;
  Temporary file_;  ///< A small blob's bytes; for a large one empty: its lock says since when it is written.
  std::vector<std::byte> head_;  ///< The first bytes, as long as the blob is small.
  std::size_t head_size_ = 0;
  Sha256 hash_;
  std::unique_ptr<ChunkPipeline> chunks_;
  std::uint64_t taken_ = 0;
};

}  // namespace backstay::blobs
