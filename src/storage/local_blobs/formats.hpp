#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "storage/local_blobs/disk.hpp"

/// The two kinds of file that chunked blobs are made of; docs/store.md has them byte by byte. All numbers are
/// little-endian.
namespace backstay::blobs {

/// XXH3-128 of a chunk's original bytes: by which a chunk that is stored already is found (its bytes are compared then)
/// and damage by chance is told. It is no proof against intent: the SHA-256 of the blob is.
struct Tag {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  auto operator<=>(const Tag&) const = default;
};
Tag tag_of(std::span<const std::byte> chunk);

enum class Codec : std::uint32_t { kRaw = 0, kZstd = 1 };

/// Where a chunk's bytes are in a pack.
struct Place {
  std::uint64_t offset = 0;
  std::uint32_t stored = 0;  ///< Bytes in the pack.
  std::uint32_t length = 0;  ///< Bytes of the chunk.
  Codec codec = Codec::kRaw;
  Tag tag;
  auto operator<=>(const Place&) const = default;
};

struct RecipeChunk {
  std::uint32_t pack = 0;  ///< In Recipe::packs.
  Place place;
  Digest prefix;  ///< SHA-256 of the blob up to this chunk's end: the first that differs is where it was changed.
  bool operator==(const RecipeChunk&) const = default;
};

/// A blob as a list of chunks.
struct Recipe {
  std::uint64_t size = 0;
  std::vector<PackId> packs;
  std::vector<RecipeChunk> chunks;
  bool operator==(const Recipe&) const = default;
};

std::vector<std::byte> encode(const Recipe& recipe);
/// kIntegrity unless the bytes are exactly what encode() makes of a recipe of the blob `sha256`.
Result<Recipe> decode_recipe(std::span<const std::byte> bytes, const Digest& sha256);

/// A pack begins with kPackHead; then the chunks' stored bytes; then encode_pack_index() of all of them.
constexpr std::array<char, 16> kPackHead{'B', 'S', 'T', 'P', 'A', 'C', 'K', '1'};
std::vector<std::byte> encode_pack_index(const std::vector<Place>& places);
constexpr std::size_t kPackTrailerBytes = 48;
constexpr std::size_t kPackEntryBytes = 40;
/// How many bytes the index has that ends with this trailer (the trailer is one of them); kIntegrity when it is none or
/// does not fit into a file of `file_bytes`.
Result<std::uint64_t> pack_index_bytes(std::span<const std::byte, kPackTrailerBytes> trailer, std::uint64_t file_bytes);
/// `bytes` is the whole index of a pack of `file_bytes`.
Result<std::vector<Place>> decode_pack_index(std::span<const std::byte> bytes, std::uint64_t file_bytes);

/// The original bytes of a chunk from its stored ones, its tag checked.
Result<void> unpack_chunk(const Place& place, std::span<const std::byte> stored, std::vector<std::byte>& into);

}  // namespace backstay::blobs
