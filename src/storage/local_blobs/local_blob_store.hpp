#pragma once

#include <filesystem>
#include <memory>

#include "ports/blob_store.hpp"

namespace backstay {

/// Blobs as read-only files on local disk: ROOT/sha256/ab/<hex>, written through ROOT/tmp and moved into place when
/// they are complete and synced. A writer holds a lock on its file in ROOT/tmp: what is not locked there was left by a
/// process that was killed, and goes when the store is opened next. Thread-safe; several processes may share a root.
class LocalBlobStore : public BlobStore {
 public:
  /// Makes the folders if they are not there, and removes what killed writers left.
  static Result<std::unique_ptr<LocalBlobStore>> open(const std::filesystem::path& root);

  Result<std::unique_ptr<BlobWriter>> begin() override;
  Result<bool> contains(const Digest& sha256) const override;
  Result<BlobInfo> read(const Digest& sha256,
                        const std::function<Result<void>(std::span<const std::byte>)>& sink) const override;
  Result<std::unique_ptr<BlobReader>> open_reader(const Digest& sha256) const override;
  Result<void> check_out(const Digest& sha256, const std::filesystem::path& target) const override;

  std::filesystem::path path_of(const Digest& sha256) const;

 private:
  explicit LocalBlobStore(std::filesystem::path root) : root_(std::move(root)) {}
  std::filesystem::path root_;
};

}  // namespace backstay
