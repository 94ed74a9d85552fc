#pragma once

#include <map>

#include "ports/blob_store.hpp"
#include "storage/local_blobs/store_parts.hpp"

namespace backstay::blobs {

/// Hashes the whole file of a blob on its way to `sink`. kNotFound when there is none, kIntegrity when it has other
/// bytes.
Result<BlobInfo> read_whole(const Layout& layout, const Digest& sha256, const BlobSink& sink);
/// The same of a file that is open already.
Result<BlobInfo> read_open(const OpenFile& file, const fs::path& path, const Digest& sha256, const BlobSink& sink);

Result<Recipe> load_recipe(const Layout& layout, const Digest& sha256);

/// Reads chunks of one blob. When a pack goes away because a collection rewrote it, the recipe is looked at again. Not
/// thread-safe.
class ChunkReader {
 public:
  static Result<ChunkReader> open(const Layout& layout, const Digest& sha256);
  const Recipe& recipe() const { return recipe_; }
  /// The bytes of a chunk, its tag checked; valid until the next call. kIntegrity when damaged or missing.
  Result<std::span<const std::byte>> chunk(std::size_t number);

 private:
  ChunkReader(const Layout& layout, const Digest& sha256, Recipe recipe)
      : layout_(layout), sha256_(sha256), recipe_(std::move(recipe)) {}
  Result<const OpenFile*> pack_of(std::size_t number);

  Layout layout_;
  Digest sha256_;
  Recipe recipe_;
  std::map<PackId, OpenFile> packs_;
  std::vector<std::byte> stored_, bytes_;
};

/// Hashes a chunked blob on its way to `sink`.
Result<BlobInfo> read_chunks(const Layout& layout, const Digest& sha256, const BlobSink& sink);

Unexpected other_bytes(const Digest& sha256);

}  // namespace backstay::blobs
