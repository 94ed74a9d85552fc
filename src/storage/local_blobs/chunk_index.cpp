#include "storage/local_blobs/chunk_index.hpp"

#include <algorithm>
#include <charconv>

namespace backstay::blobs {

namespace {

std::optional<PackId> parse_pack_id(const std::string& name) {
  PackId id;
  if (name.size() != 2 * id.size()) return std::nullopt;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const char* from = name.data() + 2 * i;
    const auto parsed = std::from_chars(from, from + 2, id[i], 16);
    if (parsed.ec != std::errc() || parsed.ptr != from + 2) return std::nullopt;
  }
  return hex(id) == name ? std::optional(id) : std::nullopt;
}

}  // namespace

Result<std::vector<PackId>> list_packs(const Layout& layout) {
  std::vector<PackId> packs;
  std::error_code failure;
  for (fs::directory_iterator entry(layout.pack_root(), failure), end; !failure && entry != end;
       entry.increment(failure)) {
    if (const auto id = parse_pack_id(entry->path().filename().string())) packs.push_back(*id);
  }
  if (failure == std::errc::no_such_file_or_directory) return packs;
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot read " + layout.pack_root().string()));
  std::sort(packs.begin(), packs.end());
  return packs;
}

Result<std::vector<Place>> read_pack_index(const OpenFile& pack, const fs::path& path) {
  if (!pack.regular || pack.size < kPackHead.size() + kPackTrailerBytes)
    return Unexpected(ErrorCode::kIntegrity, path.string() + " is no pack or was cut short.",
                      "See: backstay fsck --help");
  std::array<std::byte, kPackTrailerBytes> trailer{};
  TRY_DO(read_at(pack.file.get(), pack.size - trailer.size(), trailer, path));
  TRY(const std::uint64_t bytes, pack_index_bytes(trailer, pack.size));
  std::vector<std::byte> index(bytes);
  TRY_DO(read_at(pack.file.get(), pack.size - bytes, index, path));
  return decode_pack_index(index, pack.size);
}

Result<void> ChunkIndex::refresh(const Layout& layout) {
  TRY(const std::vector<PackId> there, list_packs(layout));
  const std::lock_guard lock(mutex_);
  std::vector<PackId> gone;
  for (const auto& [id, number] : known_) {
    if (!std::binary_search(there.begin(), there.end(), id)) gone.push_back(id);
  }
  for (const PackId& id : gone) known_.erase(id);
  for (const PackId& id : there) {
    if (known_.contains(id)) continue;
    const auto pack = open_file(layout.pack(id));
    if (!pack) continue;
    if (const auto places = read_pack_index(*pack, layout.pack(id))) add_locked(id, *places);
  }
  return {};
}

std::optional<ChunkIndex::Found> ChunkIndex::find(const Tag& tag, std::uint32_t length) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(tag);
  if (found == entries_.end() || found->second.place.length != length) return std::nullopt;
  const PackId& pack = packs_[found->second.pack];
  if (!known_.contains(pack)) return std::nullopt;
  return Found{pack, found->second.place};
}

void ChunkIndex::add(const PackId& pack, const std::vector<Place>& places) {
  const std::lock_guard lock(mutex_);
  add_locked(pack, places);
}

void ChunkIndex::add_locked(const PackId& pack, const std::vector<Place>& places) {
  const auto number = static_cast<std::uint32_t>(packs_.size());
  packs_.push_back(pack);
  known_.emplace(pack, number);
  // The newest place wins: an older one may be damaged.
  for (const Place& place : places) entries_[place.tag] = {number, place};
}

void ChunkIndex::forget(const PackId& pack) {
  const std::lock_guard lock(mutex_);
  known_.erase(pack);
}

}  // namespace backstay::blobs
