#include "storage/local_blobs/pack_writer.hpp"

#include <fcntl.h>

#include <cstring>

#include "base/random.hpp"

namespace backstay::blobs {

namespace {

constexpr std::uint64_t kWriteBehindBytes = 8 * 1024 * 1024;

PackId fresh_pack_id() {
  PackId id;
  for (std::size_t half = 0; half < 2; ++half) {
    const std::uint64_t bits = secure_random();
    std::memcpy(id.data() + 8 * half, &bits, 8);
  }
  return id;
}

}  // namespace

PackWriter::PackWriter(StoreParts& store, Temporary file)
    : store_(&store), id_(fresh_pack_id()), file_(std::move(file)) {}

Result<PackWriter> PackWriter::make(StoreParts& store) {
  TRY(Temporary file, Temporary::make(store.layout.tmp()));
  PackWriter writer(store, std::move(file));
  TRY_DO(store.disk.write(writer.fd(), std::as_bytes(std::span(kPackHead)), writer.path()));
  writer.size_ = kPackHead.size();
  return writer;
}

Result<Place> PackWriter::append(std::span<const std::byte> stored, std::uint32_t length, Codec codec, const Tag& tag) {
  TRY_DO(store_->disk.write(fd(), stored, path()));
  places_.push_back({size_, static_cast<std::uint32_t>(stored.size()), length, codec, tag});
  size_ += stored.size();
  // So that the disk is at work from the beginning and the sync at the end has little left.
  if (size_ - started_writing_ >= kWriteBehindBytes) {
    sync_file_range(fd(), static_cast<off_t>(started_writing_), static_cast<off_t>(size_ - started_writing_),
                    SYNC_FILE_RANGE_WRITE);
    started_writing_ = size_;
  }
  return places_.back();
}

Result<void> PackWriter::seal() {
  TRY_DO(store_->disk.write(fd(), encode_pack_index(places_), path()));
  TRY_DO(store_->disk.seal(fd(), path()));
  TRY_DO(store_->disk.sync(fd(), path()));
  TRY(const bool fresh, store_->disk.link(path(), store_->layout.pack(id_)));
  if (!fresh) return Unexpected(ErrorCode::kInternal, "Two packs drew the same name.", "Try again.");
  return {};
}

Result<void> store_recipe(StoreParts& store, const Digest& sha256, const Recipe& recipe) {
  const fs::path place = store.layout.recipe(sha256);
  TRY(const Temporary file, Temporary::make(store.layout.tmp()));
  TRY_DO(store.disk.write(file.fd(), encode(recipe), file.path()));
  TRY_DO(store.disk.seal(file.fd(), file.path()));
  TRY_DO(store.disk.sync(file.fd(), file.path()));
  TRY_DO(store.disk.make_folder(place.parent_path()));
  TRY_DO(store.disk.rename(file.path(), place));
  return store.disk.sync_folder(place.parent_path());
}

}  // namespace backstay::blobs
