#include "storage/local_blobs/pack_writer.hpp"

#include <cstring>

#include "base/random.hpp"

namespace backstay::blobs {

namespace {

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
    : store_(&store),
      id_(fresh_pack_id()),
      file_(std::move(file)),
      stream_(std::make_unique<AppendStream>(store.disk, file_.fd(), file_.path())) {}

Result<PackWriter> PackWriter::make(StoreParts& store) {
  TRY(Temporary file, Temporary::make(store.layout.tmp()));
  PackWriter writer(store, std::move(file));
  TRY_DO(writer.stream_->append(std::as_bytes(std::span(kPackHead))));
  writer.size_ = kPackHead.size();
  return writer;
}

Result<Place> PackWriter::append(std::span<const std::byte> stored, std::uint32_t length, Codec codec, const Tag& tag) {
  TRY_DO(stream_->append(stored));
  places_.push_back({size_, static_cast<std::uint32_t>(stored.size()), length, codec, tag});
  size_ += stored.size();
  return places_.back();
}

Result<void> PackWriter::read(const Place& place, std::vector<std::byte>& stored) const {
  stored.resize(place.stored);
  return stream_ ? stream_->read(place.offset, stored) : read_at(file_.fd(), place.offset, stored, file_.path());
}

Result<void> PackWriter::close() {
  TRY_DO(stream_->append(encode_pack_index(places_)));
  TRY_DO(stream_->finish());
  stream_ = nullptr;
  return {};
}

Result<void> PackWriter::seal() {
  TRY_DO(store_->disk.seal(file_.fd(), file_.path()));
  TRY_DO(store_->disk.sync(file_.fd(), file_.path()));
  TRY(const bool fresh, store_->disk.link(file_.path(), store_->layout.pack(id_)));
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
