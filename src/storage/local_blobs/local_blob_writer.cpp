#include "storage/local_blobs/local_blob_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "storage/local_blobs/blob_reader.hpp"

namespace backstay::blobs {

namespace {
constexpr std::size_t kSmallestRoom = 64 * 1024;
constexpr std::size_t kLargestRoom = 1024 * 1024;
}  // namespace

Result<std::unique_ptr<BlobWriter>> LocalBlobWriter::make(StoreParts& store, std::uint64_t expected_bytes) {
  TRY_DO(store.quota.expect(expected_bytes));
  TRY(Temporary file, Temporary::make(store.layout.tmp()));
  auto writer = std::make_unique<LocalBlobWriter>(store, std::move(file));
  if (expected_bytes > kWholeBytes) TRY_DO(writer->change_to_chunks());
  return std::unique_ptr<BlobWriter>(std::move(writer));
}

LocalBlobWriter::~LocalBlobWriter() {
  store_.quota.give_back(taken_);
}

Result<std::span<std::byte>> LocalBlobWriter::space() {
  if (chunks_) return chunks_->space();
  if (head_size_ == head_.size())
    head_.resize(
        std::min<std::size_t>(kWholeBytes + 1, head_size_ + std::clamp(head_size_, kSmallestRoom, kLargestRoom)));
  return std::span(head_).subspan(head_size_);
}

Result<void> LocalBlobWriter::filled(std::size_t bytes) {
  if (chunks_) return chunks_->filled(bytes);
  const std::span<const std::byte> fresh = std::span(head_).subspan(head_size_, bytes);
  head_size_ += bytes;
  if (head_size_ > kWholeBytes) return change_to_chunks();
  TRY_DO(store_.quota.take(bytes));
  taken_ += bytes;
  TRY_DO(store_.disk.write(file_.fd(), fresh, file_.path()));
  hash_.update(fresh);
  return {};
}

Result<void> LocalBlobWriter::change_to_chunks() {
  store_.quota.give_back(std::exchange(taken_, 0));
  if (head_size_ > 0) TRY_DO(store_.disk.truncate(file_.fd(), file_.path()));
  // A file of its own, which nobody writes to: what is renewed after it was made is not collected while it is there.
  TRY(file_, Temporary::make(store_.layout.tmp()));
  TRY_DO(store_.index.refresh(store_.layout));
  chunks_ = std::make_unique<ChunkPipeline>(store_);
  std::span<const std::byte> rest = std::span(head_).first(head_size_);
  while (!rest.empty()) {
    const std::span<std::byte> room = chunks_->space();
    const std::size_t bytes = std::min(room.size(), rest.size());
    std::copy_n(rest.begin(), bytes, room.begin());
    TRY_DO(chunks_->filled(bytes));
    rest = rest.subspan(bytes);
  }
  head_ = {};
  return {};
}

Result<BlobInfo> LocalBlobWriter::commit() {
  // A hint that was wrong: nothing came.
  return chunks_ && chunks_->any() ? commit_chunks() : commit_whole();
}

Result<BlobInfo> LocalBlobWriter::commit_whole() {
  const BlobInfo info{hash_.finish(), head_size_};
  const fs::path place = store_.layout.whole(info.sha256);
  {
    // What is there already is acknowledged only if it is whole. When it is not, the bytes that should be there are at
    // hand: they take its place.
    TRY(const StoreLock lock, StoreLock::take(store_.layout.root, false));
    const auto there = store_.disk.renew(place);
    if (!there && there.error().code != ErrorCode::kPermissionDenied) return Unexpected(there.error());
    if (there && *there && read_whole(store_.layout, info.sha256, [](auto) { return Result<void>(); })) {
      TRY_DO(store_.disk.sync_folder(place.parent_path()));
      return info;
    }
  }
  TRY_DO(store_.disk.seal(file_.fd(), file_.path()));
  TRY_DO(store_.disk.sync(file_.fd(), file_.path()));
  TRY_DO(store_.disk.make_folder(place.parent_path()));
  TRY_DO(store_.disk.rename(file_.path(), place));
  TRY_DO(store_.disk.sync_folder(place.parent_path()));
  store_.quota.settle(std::exchange(taken_, 0));
  return info;
}

Result<BlobInfo> LocalBlobWriter::commit_chunks() {
  TRY(const ChunkPipeline::Done done, chunks_->finish());
  const BlobInfo info{done.sha256, done.recipe.size};
  for (const PackId& pack : done.recipe.packs) {
    std::error_code failure;
    if (!fs::exists(store_.layout.pack(pack), failure))
      return Unexpected(ErrorCode::kUnavailable, fmt::format("The pack {} went away meanwhile.", hex(pack)),
                        "Try again.");
  }
  // Over one that is there: each of this one's chunks was just compared or written.
  TRY_DO(store_recipe(store_, info.sha256, done.recipe));
  TRY_DO(drop_damaged_whole(info.sha256));
  return info;
}

/// A whole copy that is there beside the chunks is used first: it must not be one that was changed.
Result<void> LocalBlobWriter::drop_damaged_whole(const Digest& sha256) {
  const fs::path place = store_.layout.whole(sha256);
  const auto whole = open_file(place);
  if (!whole && whole.error().code == ErrorCode::kNotFound) return {};
  if (whole && whole->sealed) return {};
  if (read_whole(store_.layout, sha256, [](auto) { return Result<void>(); })) return {};
  TRY_DO(store_.disk.unlink(place));
  return store_.disk.sync_folder(place.parent_path());
}

}  // namespace backstay::blobs
