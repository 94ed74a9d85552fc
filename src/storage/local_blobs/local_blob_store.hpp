#pragma once

#include <filesystem>
#include <memory>

#include "ports/blob_store.hpp"
#include "ports/blob_upkeep.hpp"

namespace backstay {

namespace blobs {
class Disk;
struct StoreParts;
}  // namespace blobs

/// Blobs on local disk (docs/store.md has the formats and the reasons):
///
///     sha256/ab/<hex>    a blob as one read-only file: a small one, or a copy of a large one that was checked out
///     recipes/ab/<hex>   a large blob as a list of chunks
///     packs/<id>         chunks
///     tmp/               what is being written
///     lock, gc.lock      held for a step that renews or removes objects; held by a collection
///
/// Everything is written in tmp/ and moved into place when it is complete and synced. A writer holds a lock on its file
/// in tmp/: what is not locked there was left by a process that was killed, and goes when the store is opened next.
/// Stores from before there were chunks have sha256/ only and are read as they are. Thread-safe; several processes may
/// share a root.
class LocalBlobStore : public BlobStore, public BlobUpkeep {
 public:
  struct Options {
    std::uint64_t quota_bytes = 0;  ///< 0: no limit.
    blobs::Disk* disk = nullptr;    ///< Null: the machine's. Outlives the store.
  };
  /// Makes the folders if they are not there, and removes what killed writers left.
  static Result<std::unique_ptr<LocalBlobStore>> open(const std::filesystem::path& root, const Options& options);
  static Result<std::unique_ptr<LocalBlobStore>> open(const std::filesystem::path& root) { return open(root, {}); }
  /// A store that is only read from, and may be on a medium that can't be written to; kNotFound when there is none.
  static Result<std::unique_ptr<LocalBlobStore>> open_to_read(const std::filesystem::path& root);
  ~LocalBlobStore() override;

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

  Result<StoreUsage> usage() const override;
  Result<void> check(const BlobStore* other, const OnUpkeep& on_progress,
                     const std::function<void(const BlobProblem&)>& on_problem) const override;
  Result<bool> repair(const BlobProblem& problem, const BlobStore* from) override;
  Result<Collected> collect(const std::function<Result<std::vector<Digest>>()>& roots, const CollectOptions& options,
                            const OnUpkeep& on_progress) override;

  /// Where a blob is as one file, if it is.
  std::filesystem::path path_of(const Digest& sha256) const;

 private:
  explicit LocalBlobStore(std::unique_ptr<blobs::StoreParts> parts);
  std::unique_ptr<blobs::StoreParts> parts_;
};

}  // namespace backstay
