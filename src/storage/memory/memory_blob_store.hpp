#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "ports/blob_store.hpp"

namespace backstay {

/// Blobs in memory, for tests. Thread-safe.
class MemoryBlobStore : public BlobStore {
 public:
  using BlobStore::begin;
  using BlobStore::check_out;
  Result<std::unique_ptr<BlobWriter>> begin(std::uint64_t expected_bytes) override;
  Result<std::unique_ptr<BlobHold>> hold() override;
  Result<bool> contains(const Digest& sha256) const override;
  Result<std::uint64_t> size(const Digest& sha256) const override;
  Result<BlobInfo> read(const Digest& sha256, const BlobSink& sink) const override;
  Result<void> read_range(const Digest& sha256, std::uint64_t offset, std::uint64_t length,
                          const BlobSink& sink) const override;
  Result<CheckedOutBlob> check_out(const Digest& sha256, const std::filesystem::path& target,
                                   const CheckOutOptions& options) const override;

 private:
  class Writer;
  using Bytes = std::vector<std::byte>;
  Result<Bytes> find(const Digest& sha256) const;

  mutable std::mutex mutex_;
  std::map<Digest, Bytes> blobs_;
};

}  // namespace backstay
