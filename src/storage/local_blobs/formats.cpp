#include "storage/local_blobs/formats.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "storage/local_blobs/chunker.hpp"

#ifdef __x86_64__
#include <xxh_x86dispatch.h>  // AVX2 or AVX-512 where the CPU has them.
#else
#include <xxhash.h>
#endif

namespace backstay::blobs {

namespace {

constexpr std::string_view kRecipeHead = "BSTRECP1";
constexpr std::string_view kPackEnd = "BSTPEND1";
constexpr std::size_t kRecipeHeadBytes = 24;
constexpr std::size_t kRecipeChunkBytes = 76;
constexpr std::size_t kPackIdBytes = 16;
constexpr std::size_t kDigestBytes = 32;

class Writer {
 public:
  void number(std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
  void raw(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(data);
    out.insert(out.end(), bytes, bytes + size);
  }
  void place(const Place& p) {
    number(p.offset, 8);
    number(p.stored, 4);
    number(p.length, 4);
    number(static_cast<std::uint32_t>(p.codec), 4);
    number(p.tag.low, 8);
    number(p.tag.high, 8);
  }
  void digest_of_all() {
    const Digest digest = sha256(std::string_view(reinterpret_cast<const char*>(out.data()), out.size()));
    raw(digest.bytes.data(), kDigestBytes);
  }
  std::vector<std::byte> out;
};

/// The caller has made sure that the bytes are there.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= std::to_integer<std::uint64_t>(bytes_[i]) << (8 * i);
    bytes_ = bytes_.subspan(size);
    return value;
  }
  std::uint32_t number32() { return static_cast<std::uint32_t>(number(4)); }
  void raw(void* into, std::size_t size) {
    std::memcpy(into, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
  }
  Place place() {
    Place p;
    p.offset = number(8);
    p.stored = number32();
    p.length = number32();
    p.codec = static_cast<Codec>(number32());
    p.tag.low = number(8);
    p.tag.high = number(8);
    return p;
  }

 private:
  std::span<const std::byte> bytes_;
};

bool starts_with(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

Digest digest_of(std::span<const std::byte> bytes) {
  return sha256(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

bool is_sane(const Place& place) {
  const bool sizes = place.length > 0 && place.length <= kMaxChunk && place.stored > 0 && place.stored <= kMaxChunk;
  const bool codec = (place.codec == Codec::kRaw && place.stored == place.length) || place.codec == Codec::kZstd;
  return sizes && codec && place.offset >= kPackHead.size() && place.offset <= (std::uint64_t{1} << 62);
}

Unexpected damaged(const char* what) {
  return Unexpected(ErrorCode::kIntegrity, fmt::format("{} is damaged.", what), "See: backstay fsck --help");
}

}  // namespace

Tag tag_of(std::span<const std::byte> chunk) {
  const XXH128_hash_t hash = XXH3_128bits(chunk.data(), chunk.size());
  return {hash.low64, hash.high64};
}

std::vector<std::byte> encode(const Recipe& recipe) {
  Writer writer;
  writer.out.reserve(kRecipeHeadBytes + recipe.packs.size() * kPackIdBytes + recipe.chunks.size() * kRecipeChunkBytes +
                     kDigestBytes);
  writer.raw(kRecipeHead.data(), kRecipeHead.size());
  writer.number(recipe.size, 8);
  writer.number(recipe.packs.size(), 4);
  writer.number(recipe.chunks.size(), 4);
  for (const PackId& id : recipe.packs) writer.raw(id.data(), id.size());
  for (const RecipeChunk& chunk : recipe.chunks) {
    writer.number(chunk.pack, 4);
    writer.place(chunk.place);
    writer.number(0, 4);
    writer.raw(chunk.prefix.bytes.data(), kDigestBytes);
  }
  writer.digest_of_all();
  return std::move(writer.out);
}

Result<Recipe> decode_recipe(std::span<const std::byte> bytes, const Digest& sha256) {
  if (bytes.size() < kRecipeHeadBytes + kDigestBytes || !starts_with(bytes, kRecipeHead))
    return damaged("The list of chunks");
  const auto body = bytes.first(bytes.size() - kDigestBytes);
  if (std::memcmp(digest_of(body).bytes.data(), bytes.last(kDigestBytes).data(), kDigestBytes) != 0)
    return damaged("The list of chunks");
  Reader reader(body.subspan(kRecipeHead.size()));
  Recipe recipe;
  recipe.size = reader.number(8);
  const std::size_t packs = reader.number32();
  const std::size_t chunks = reader.number32();
  if (body.size() != kRecipeHeadBytes + packs * kPackIdBytes + chunks * kRecipeChunkBytes)
    return damaged("The list of chunks");
  recipe.packs.resize(packs);
  for (PackId& id : recipe.packs) reader.raw(id.data(), id.size());
  recipe.chunks.resize(chunks);
  std::uint64_t total = 0;
  bool sane = true;
  for (RecipeChunk& chunk : recipe.chunks) {
    chunk.pack = reader.number32();
    chunk.place = reader.place();
    sane = sane && reader.number(4) == 0 && chunk.pack < packs && is_sane(chunk.place);
    reader.raw(chunk.prefix.bytes.data(), kDigestBytes);
    total += chunk.place.length;
  }
  if (!sane || chunks == 0 || total != recipe.size || recipe.chunks.back().prefix != sha256)
    return damaged("The list of chunks");
  return recipe;
}

std::vector<std::byte> encode_pack_index(const std::vector<Place>& places) {
  Writer writer;
  writer.out.reserve(places.size() * kPackEntryBytes + kPackTrailerBytes);
  for (const Place& place : places) {
    writer.place(place);
    writer.number(0, 4);
  }
  writer.number(places.size(), 8);
  writer.digest_of_all();
  writer.raw(kPackEnd.data(), kPackEnd.size());
  return std::move(writer.out);
}

Result<std::uint64_t> pack_index_bytes(std::span<const std::byte, kPackTrailerBytes> trailer,
                                       std::uint64_t file_bytes) {
  const std::uint64_t count = Reader(trailer).number(8);
  if (!starts_with(trailer.last(kPackEnd.size()), kPackEnd) || count > file_bytes / kPackEntryBytes)
    return damaged("The index of a pack");
  const std::uint64_t bytes = count * kPackEntryBytes + kPackTrailerBytes;
  if (bytes + kPackHead.size() > file_bytes) return damaged("The index of a pack");
  return bytes;
}

Result<std::vector<Place>> decode_pack_index(std::span<const std::byte> bytes, std::uint64_t file_bytes) {
  if (bytes.size() < kPackTrailerBytes) return damaged("The index of a pack");
  TRY(const std::uint64_t expected, pack_index_bytes(bytes.last<kPackTrailerBytes>(), file_bytes));
  if (expected != bytes.size()) return damaged("The index of a pack");
  const auto body = bytes.first(bytes.size() - kDigestBytes - kPackEnd.size());
  if (std::memcmp(digest_of(body).bytes.data(), bytes.data() + body.size(), kDigestBytes) != 0)
    return damaged("The index of a pack");
  std::vector<Place> places((bytes.size() - kPackTrailerBytes) / kPackEntryBytes);
  Reader reader(body);
  for (Place& place : places) {
    place = reader.place();
    if (reader.number(4) != 0 || !is_sane(place) || place.offset + place.stored > file_bytes - bytes.size())
      return damaged("The index of a pack");
  }
  return places;
}

Result<void> unpack_chunk(const Place& place, std::span<const std::byte> stored, std::vector<std::byte>& into) {
  into.resize(place.length);
  if (place.codec == Codec::kRaw) {
    if (stored.size() != place.length) return damaged("A chunk");
    std::copy(stored.begin(), stored.end(), into.begin());
  } else {
    const std::size_t size = ZSTD_decompress(into.data(), into.size(), stored.data(), stored.size());
    if (ZSTD_isError(size) != 0 || size != into.size()) return damaged("A chunk");
  }
  if (tag_of(into) != place.tag) return damaged("A chunk");
  return {};
}

}  // namespace backstay::blobs
