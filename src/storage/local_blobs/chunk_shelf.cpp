#include "storage/local_blobs/chunk_shelf.hpp"

#include <fcntl.h>
#include <zstd.h>

#include <algorithm>

namespace backstay::blobs {

namespace {

constexpr std::uint64_t kMaxPackBytes = std::uint64_t{1} << 30;
constexpr std::size_t kMaxChunks = 50'000'000;  // Some 4 TB; the list of chunks is held in memory.
constexpr std::size_t kMaxOpenPacks = 128;
constexpr std::uint64_t kReadAheadBytes = 8 * 1024 * 1024;
constexpr int kZstdLevel = 1;
constexpr std::size_t kSampleBytes = 16 * 1024;
/// Chunks that are let pass unsampled after one that did not shrink: 1, 2, 4, ... up to this.
constexpr unsigned kMaxSkip = 32;

/// Saving less than an eighth is not worth the reader's time.
bool is_worth_it(std::size_t packed, std::size_t original) {
  return packed <= original - original / 8;
}

}  // namespace

ChunkShelf::~ChunkShelf() {
  if (!finished_) store_.quota.give_back(taken_);
}

Result<void> ChunkShelf::put(std::span<const std::byte> chunk) {
  if (recipe_.chunks.size() >= kMaxChunks)
    return Unexpected(ErrorCode::kResourceExhausted, "The file has more chunks than a blob may have.",
                      "Split it into files below 1.5 TB.");
  recipe_.size += chunk.size();
  const Tag tag = tag_of(chunk);
  TRY(const bool own, reuse_own(tag, chunk));
  if (own) return {};
  TRY(const bool stored, reuse_stored(tag, chunk));
  if (stored) return {};
  return append(tag, chunk);
}

Result<bool> ChunkShelf::reuse_own(const Tag& tag, std::span<const std::byte> chunk) {
  const auto found = own_.find(tag);
  if (found == own_.end()) return false;
  const PackWriter& pack = packs_[found->second.pack];
  TRY_DO(pack.read(found->second.place, stored_));
  const bool equal = same(found->second.place, chunk);
  if (equal) recipe_.chunks.push_back({number_of(pack.id()), found->second.place, {}});
  return equal;
}

Result<bool> ChunkShelf::reuse_stored(const Tag& tag, std::span<const std::byte> chunk) {
  const auto found = store_.index.find(tag, static_cast<std::uint32_t>(chunk.size()));
  if (!found) return false;
  TRY(OpenPack* const pack, open_pack(found->pack));
  if (pack == nullptr) return false;
  read_ahead(*pack, found->place);
  stored_.resize(found->place.stored);
  if (auto got = read_at(pack->file.get(), found->place.offset, stored_, store_.layout.pack(found->pack)); !got) {
    if (got.error().code == ErrorCode::kIntegrity) return false;
    return Unexpected(std::move(got).error());
  }
  const bool equal = same(found->place, chunk);
  if (equal) recipe_.chunks.push_back({number_of(found->pack), found->place, {}});
  return equal;
}

/// Whether `stored_` holds this chunk. False, too, for a place that is damaged: the bytes that should be there are at
/// hand and are stored anew.
bool ChunkShelf::same(const Place& place, std::span<const std::byte> chunk) {
  if (place.length != chunk.size()) return false;
  if (place.codec == Codec::kRaw) return std::equal(stored_.begin(), stored_.end(), chunk.begin(), chunk.end());
  if (!unpack_chunk(place, stored_, unpacked_)) return false;
  return std::equal(unpacked_.begin(), unpacked_.end(), chunk.begin(), chunk.end());
}

/// What follows in a pack is likely to be compared next, and whoever wrote it left nothing in the page cache.
void ChunkShelf::read_ahead(OpenPack& pack, const Place& place) {
  const std::uint64_t end = place.offset + place.stored;
  if (place.offset < pack.begin || end > pack.ahead) pack.begin = pack.ahead = place.offset;
  if (pack.ahead > end + kReadAheadBytes / 2) return;
  posix_fadvise(pack.file.get(), static_cast<off_t>(pack.ahead), kReadAheadBytes, POSIX_FADV_WILLNEED);
  pack.ahead += kReadAheadBytes;
}

/// nullptr: it is gone.
Result<ChunkShelf::OpenPack*> ChunkShelf::open_pack(const PackId& id) {
  if (const auto open = open_.find(id); open != open_.end()) return &open->second;
  const fs::path path = store_.layout.pack(id);
  {
    // Whoever removes packs holds the lock alone, and looks at the lease while it does.
    TRY(const StoreLock lock, StoreLock::take(store_.layout.root, false));
    const auto there = store_.disk.renew(path);
    // Someone else's can't be renewed, and so not be relied on.
    if (!there && there.error().code != ErrorCode::kPermissionDenied) return Unexpected(there.error());
    if (!there || !*there) {
      store_.index.forget(id);
      return nullptr;
    }
  }
  TRY(OpenFile pack, open_file(path));
  if (open_.size() >= kMaxOpenPacks) open_.clear();
  return &open_.emplace(id, OpenPack{std::move(pack.file)}).first->second;
}

std::span<const std::byte> ChunkShelf::compressed(std::span<const std::byte> chunk) {
  if (skip_ > 0) {
    --skip_;
    return chunk;
  }
  packed_.resize(ZSTD_compressBound(chunk.size()));
  const auto shrinks = [&](std::span<const std::byte> bytes, std::size_t& size) {
    size = ZSTD_compress(packed_.data(), packed_.size(), bytes.data(), bytes.size(), kZstdLevel);
    return ZSTD_isError(size) == 0 && is_worth_it(size, bytes.size());
  };
  std::size_t size = 0;
  const std::span<const std::byte> sample = chunk.subspan((chunk.size() - std::min(chunk.size(), kSampleBytes)) / 2);
  if (shrinks(sample.first(std::min(sample.size(), kSampleBytes)), size) && shrinks(chunk, size)) {
    incompressible_ = 0;
    return std::span(packed_).first(size);
  }
  skip_ = std::min(kMaxSkip, 1U << std::min(incompressible_, 8U));
  ++incompressible_;
  return chunk;
}

Result<void> ChunkShelf::append(const Tag& tag, std::span<const std::byte> chunk) {
  if (packs_.empty() || packs_.back().size() >= kMaxPackBytes) {
    if (!packs_.empty()) TRY_DO(packs_.back().close());
    TRY(PackWriter fresh, PackWriter::make(store_));
    packs_.push_back(std::move(fresh));
  }
  PackWriter& pack = packs_.back();
  const std::span<const std::byte> stored = compressed(chunk);
  TRY_DO(store_.quota.take(stored.size()));
  taken_ += stored.size();
  TRY(const Place place, pack.append(stored, static_cast<std::uint32_t>(chunk.size()),
                                     stored.data() == chunk.data() ? Codec::kRaw : Codec::kZstd, tag));
  own_[tag] = {packs_.size() - 1, place};
  recipe_.chunks.push_back({number_of(pack.id()), place, {}});
  return {};
}

Result<Recipe> ChunkShelf::finish() {
  if (!packs_.empty()) TRY_DO(packs_.back().close());
  for (PackWriter& pack : packs_) TRY_DO(pack.seal());
  if (!packs_.empty()) TRY_DO(store_.disk.sync_folder(store_.layout.pack_root()));
  for (const PackWriter& pack : packs_) store_.index.add(pack.id(), pack.places());
  finished_ = true;
  store_.quota.settle(taken_);
  return std::move(recipe_);
}

std::uint32_t ChunkShelf::number_of(const PackId& id) {
  const auto [found, fresh] = numbers_.emplace(id, static_cast<std::uint32_t>(recipe_.packs.size()));
  if (fresh) recipe_.packs.push_back(id);
  return found->second;
}

}  // namespace backstay::blobs
