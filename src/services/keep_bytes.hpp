#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "ports/blob_store.hpp"

namespace backstay::services {

/// Puts bytes into a blob store, or only hashes them when there is none: a dry run takes the same way as the real one.
/// Not thread-safe.
class KeptBytes {
 public:
  explicit KeptBytes(BlobStore* blobs) : blobs_(blobs) {}

  Result<void> write(std::span<const std::byte> data);
  bool empty() const { return size_ == 0; }
  /// Once, at the end.
  Result<BlobInfo> finish();

 private:
  BlobStore* blobs_;
  std::unique_ptr<BlobWriter> writer_;  ///< From the first byte on.
  Sha256 hash_;                         ///< Without a store.
  std::uint64_t size_ = 0;
};

Result<Digest> keep_text(BlobStore* blobs, std::string_view text);

}  // namespace backstay::services
