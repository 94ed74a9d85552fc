#pragma once

#include <map>

#include "storage/local_blobs/pack_writer.hpp"

namespace backstay::blobs {

/// Where a blob's chunks go: to the place where the same bytes are already, else into a new pack. Not thread-safe.
class ChunkShelf {
 public:
  explicit ChunkShelf(StoreParts& store) : store_(store) {}
  ~ChunkShelf();
  ChunkShelf(const ChunkShelf&) = delete;
  ChunkShelf& operator=(const ChunkShelf&) = delete;

  Result<void> put(std::span<const std::byte> chunk);
  /// Makes the new packs durable. The recipe's chunks have no prefixes yet.
  Result<Recipe> finish();

 private:
  Result<bool> reuse_own(const Tag& tag, std::span<const std::byte> chunk);
  Result<bool> reuse_stored(const Tag& tag, std::span<const std::byte> chunk);
  bool same(const Place& place, std::span<const std::byte> chunk);
  struct OpenPack {
    Descriptor file;
    std::uint64_t begin = 0;  ///< The disk was asked to read from here
    std::uint64_t ahead = 0;  ///< to here.
  };
  static void read_ahead(OpenPack& pack, const Place& place);
  Result<OpenPack*> open_pack(const PackId& id);
  Result<void> append(const Tag& tag, std::span<const std::byte> chunk);
  std::span<const std::byte> compressed(std::span<const std::byte> chunk);
  std::uint32_t number_of(const PackId& id);

  StoreParts& store_;
  Recipe recipe_;
  std::map<PackId, std::uint32_t> numbers_;  ///< In recipe_.packs.
  std::map<PackId, OpenPack> open_;          ///< Packs of others that chunks are shared with; their leases are renewed.
  std::vector<PackWriter> packs_;
  struct Own {
    std::size_t pack;
    Place place;
  };
  std::map<Tag, Own> own_;
  std::vector<std::byte> stored_, unpacked_, packed_;
  unsigned incompressible_ = 0;  ///< Samples in a row that did not shrink.
  unsigned skip_ = 0;            ///< Chunks until the next sample.
  std::uint64_t taken_ = 0;
  bool finished_ = false;
};

}  // namespace backstay::blobs
