#include "storage/local_blobs/blob_reader.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace backstay::blobs {

namespace {
constexpr std::size_t kPieceBytes = 1024 * 1024;
constexpr std::size_t kMaxOpenPacks = 128;
constexpr std::uint64_t kMaxRecipeBytes = std::uint64_t{1} << 32;  // More than kMaxChunks need.
}  // namespace

Unexpected other_bytes(const Digest& sha256) {
  return Unexpected(
      ErrorCode::kIntegrity, fmt::format("The blob {} holds other bytes than were stored.", sha256.hex()),
      "Find out more with backstay fsck; restore it with backstay fsck --repair-from, or register the same "
      "files again.");
}

Result<BlobInfo> read_open(const OpenFile& file, const fs::path& path, const Digest& sha256, const BlobSink& sink) {
  if (!file.regular) return other_bytes(sha256);
  std::vector<std::byte> piece(kPieceBytes);
  Sha256 hash;
  std::uint64_t size = 0;
  while (true) {
    const ssize_t got = pread(file.file.get(), piece.data(), piece.size(), static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read " + path.string());
    if (got == 0) break;
    const std::span<const std::byte> bytes(piece.data(), static_cast<std::size_t>(got));
    hash.update(bytes);
    size += bytes.size();
    TRY_DO(sink(bytes));
  }
  if (hash.finish() != sha256) return other_bytes(sha256);
  return BlobInfo{sha256, size};
}

Result<BlobInfo> read_whole(const Layout& layout, const Digest& sha256, const BlobSink& sink) {
  const fs::path path = layout.whole(sha256);
  TRY(const OpenFile file, open_file(path));
  return read_open(file, path, sha256, sink);
}

Result<Recipe> load_recipe(const Layout& layout, const Digest& sha256) {
  const fs::path path = layout.recipe(sha256);
  TRY(const OpenFile file, open_file(path));
  if (!file.regular || file.size > kMaxRecipeBytes)
    return Unexpected(ErrorCode::kIntegrity, fmt::format("{} is no list of chunks.", path.string()),
                      "See: backstay fsck --help");
  std::vector<std::byte> bytes(file.size);
  TRY_DO(read_at(file.file.get(), 0, bytes, path));
  auto recipe = decode_recipe(bytes, sha256);
  if (!recipe) return Unexpected(std::move(recipe).error().within("blob " + sha256.hex()));
  return recipe;
}

Result<ChunkReader> ChunkReader::open(const Layout& layout, const Digest& sha256) {
  TRY(Recipe recipe, load_recipe(layout, sha256));
  return ChunkReader(layout, sha256, std::move(recipe));
}

Result<const OpenFile*> ChunkReader::pack_of(std::size_t number) {
  for (bool again = false;; again = true) {
    const PackId& id = recipe_.packs[recipe_.chunks[number].pack];
    if (const auto open = packs_.find(id); open != packs_.end()) return &open->second;
    auto pack = open_file(layout_.pack(id));
    if (pack) {
      if (packs_.size() >= kMaxOpenPacks) packs_.clear();
      return &packs_.emplace(id, std::move(*pack)).first->second;
    }
    if (pack.error().code != ErrorCode::kNotFound) return Unexpected(std::move(pack).error());
    TRY(Recipe fresh, load_recipe(layout_, sha256_));
    if (again && fresh == recipe_)
      return Unexpected(ErrorCode::kIntegrity,
                        fmt::format("The pack {}, which blob {} needs, is gone.", hex(id), sha256_.hex()),
                        "Restore it with backstay fsck --repair-from, or register the same files again.");
    if (fresh.chunks.size() != recipe_.chunks.size()) return other_bytes(sha256_);
    recipe_ = std::move(fresh);
  }
}

Result<std::span<const std::byte>> ChunkReader::chunk(std::size_t number) {
  TRY(const OpenFile* pack, pack_of(number));
  const Place& place = recipe_.chunks[number].place;
  stored_.resize(place.stored);
  TRY_DO(read_at(pack->file.get(), place.offset, stored_, layout_.pack(recipe_.packs[recipe_.chunks[number].pack])));
  if (!unpack_chunk(place, stored_, bytes_)) return other_bytes(sha256_);
  return std::span<const std::byte>(bytes_);
}

Result<BlobInfo> read_chunks(const Layout& layout, const Digest& sha256, const BlobSink& sink) {
  TRY(ChunkReader reader, ChunkReader::open(layout, sha256));
  Sha256 hash;
  for (std::size_t i = 0; i < reader.recipe().chunks.size(); ++i) {
    TRY(const std::span<const std::byte> bytes, reader.chunk(i));
    hash.update(bytes);
    TRY_DO(sink(bytes));
  }
  if (hash.finish() != sha256) return other_bytes(sha256);
  return BlobInfo{sha256, reader.recipe().size};
}

}  // namespace backstay::blobs
