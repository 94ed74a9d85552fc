#include "storage/local_blobs/collect_blobs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "storage/local_blobs/blob_reader.hpp"
#include "storage/local_blobs/pack_writer.hpp"

namespace backstay::blobs {

namespace {

/// A pack is rewritten when a quarter of it or more is needed by nobody.
constexpr std::uint64_t kWasteDivisor = 4;

bool has(const std::vector<Digest>& sorted, const Digest& digest) {
  return std::binary_search(sorted.begin(), sorted.end(), digest);
}

/// Calls `each` with every locked file in tmp/: a hold, or the file of a writer.
Result<void> for_each_at_work(const Layout& layout, const std::function<void(const OpenFile&)>& each) {
  std::error_code failure;
  for (fs::directory_iterator entry(layout.tmp(), failure), end; !failure && entry != end; entry.increment(failure)) {
    const auto file = open_file(entry->path());
    if (file && !lock_alone(file->file.get())) each(*file);
  }
  if (failure) return Unexpected(error_from_errno(failure.value(), "cannot read " + layout.tmp().string()));
  return {};
}

/// The moment, by the file system's clock, before which an object must have been renewed last to be taken: the lease
/// ago, and not after anyone who is at work now began.
Result<std::int64_t> cutoff_ns(const Layout& layout, milliseconds lease) {
  std::int64_t now = 0;
  {
    TRY(const Temporary marker, Temporary::make(layout.tmp()));
    TRY(const OpenFile facts, open_file(marker.path()));
    now = facts.changed_ns;
  }
  std::int64_t cutoff = now - std::chrono::duration_cast<nanoseconds>(lease).count();
  TRY_DO(for_each_at_work(layout, [&](const OpenFile& file) { cutoff = std::min(cutoff, file.changed_ns); }));
  return cutoff;
}

class Collection {
 public:
  Collection(StoreParts& store, const CollectOptions& options, const OnUpkeep& on_progress)
      : store_(store), layout_(store.layout), options_(options), on_progress_(on_progress) {}

  Result<Collected> run(const std::function<Result<std::vector<Digest>>()>& roots) {
    TRY(cutoff_, cutoff_ns(layout_, options_.lease));
    TRY(roots_, roots());
    std::sort(roots_.begin(), roots_.end());
    TRY(there_, take_inventory(layout_));
    TRY_DO(take_blobs());
    TRY_DO(take_copies());
    // A pack may go only when it is certain that the lists that named it are gone.
    for (const fs::path& folder : touched_) TRY_DO(store_.disk.sync_folder(folder));
    TRY_DO(take_packs());
    return out_;
  }

 private:
  void tell(const std::string& name, std::size_t done, std::size_t total) {
    if (on_progress_) on_progress_({name, done, total});
  }

  /// Unlinks an object whose lease is over. What `also` says of it is looked at while nobody can renew it.
  Result<bool> take(const fs::path& path, const std::function<bool(const OpenFile&)>& also = {}) {
    TRY(const StoreLock lock, StoreLock::take(layout_.root, true));
    const auto file = open_file(path);
    if (!file && file.error().code == ErrorCode::kNotFound) return false;
    if (!file) return Unexpected(file.error());
    if (also && !also(*file)) return false;
    if (file->changed_ns >= cutoff_) {
      ++out_.kept_young;
      return false;
    }
    // A file that a checkout shares goes on taking its space.
    if (file->links == 1) out_.freed_bytes += file->size;
    if (!options_.dry_run) TRY_DO(store_.disk.unlink(path));
    touched_.insert(path.parent_path());
    return true;
  }

  Result<void> take_blobs() {
    std::set<Digest> gone;
    std::size_t at = 0;
    for (const auto& [digests, is_recipe] : {std::pair{&there_.recipes, true}, std::pair{&there_.whole, false}}) {
      for (const Digest& digest : *digests) {
        tell("blobs", ++at, there_.recipes.size() + there_.whole.size());
        if (has(roots_, digest)) continue;
        TRY(const bool taken, take(is_recipe ? layout_.recipe(digest) : layout_.whole(digest)));
        if (!taken) continue;
        if (is_recipe) gone_recipes_.push_back(digest);
        gone.insert(digest);
      }
    }
    out_.blobs = gone.size();
    std::sort(gone_recipes_.begin(), gone_recipes_.end());
    return {};
  }

  /// Whole copies that no checkout shares, of blobs whose chunks are all right.
  Result<void> take_copies() {
    for (const Digest& digest : there_.whole) {
      if (!has(there_.recipes, digest) || !has(roots_, digest)) continue;
      const auto is_spare = [](const OpenFile& file) { return file.links == 1 && file.regular; };
      const auto file = open_file(layout_.whole(digest));
      if (!file || !is_spare(*file) || file->changed_ns >= cutoff_) continue;
      tell("copies", 0, 0);
      if (!read_chunks(layout_, digest, [](auto) { return Result<void>(); })) continue;
      TRY(const bool taken, take(layout_.whole(digest), is_spare));
      out_.copies += taken ? 1 : 0;
    }
    return {};
  }

  Result<void> take_packs() {
    TRY(const Needed needed, needed_chunks(layout_, gone_recipes_));
    std::vector<PackId> wasteful;
    std::size_t at = 0;
    for (const PackId& id : there_.packs) {
      tell("packs", ++at, there_.packs.size());
      const auto used = needed.find(id);
      if (used == needed.end()) {
        TRY(const bool taken, take(layout_.pack(id)));
        out_.packs += taken ? 1 : 0;
        continue;
      }
      const auto pack = open_file(layout_.pack(id));
      if (!pack || pack->changed_ns >= cutoff_) continue;
      std::uint64_t live = kPackHead.size() + kPackTrailerBytes;
      for (const auto& [offset, stored] : used->second) live += stored + kPackEntryBytes;
      if (pack->size > live && pack->size - live >= pack->size / kWasteDivisor) {
        wasteful.push_back(id);
        if (options_.dry_run) out_.freed_bytes += pack->size - live;
      }
    }
    if (options_.dry_run) {
      out_.packs += wasteful.size();
      return {};
    }
    std::uint64_t written = 0;
    TRY(const std::vector<PackId> moved, move_chunks(store_, wasteful, needed, written));
    for (const PackId& id : moved) {
      TRY(const bool taken, take(layout_.pack(id)));
      out_.packs += taken ? 1 : 0;
    }
    out_.freed_bytes -= std::min(out_.freed_bytes, written);
    return store_.disk.sync_folder(layout_.pack_root());
  }

  StoreParts& store_;
  const Layout& layout_;
  const CollectOptions& options_;
  const OnUpkeep& on_progress_;
  std::int64_t cutoff_ = 0;
  std::vector<Digest> roots_;
  Inventory there_;
  std::vector<Digest> gone_recipes_;
  std::set<fs::path> touched_;
  Collected out_;
};

/// (pack, offset) -> where the chunk is now.
using Moves = std::map<std::pair<PackId, std::uint64_t>, std::pair<PackId, Place>>;

/// False: a chunk is damaged, and the pack stays where it is.
Result<bool> move_pack(StoreParts& store, const PackId& id,
                       const std::set<std::pair<std::uint64_t, std::uint32_t>>& used,
                       const std::map<std::pair<PackId, std::uint64_t>, Place>& places, Moves& moves,
                       std::uint64_t& written) {
  const auto old = open_file(store.layout.pack(id));
  if (!old) return false;
  TRY(PackWriter fresh, PackWriter::make(store));
  std::vector<std::byte> stored, bytes;
  for (const auto& [offset, size] : used) {
    const auto known = places.find({id, offset});
    if (known == places.end()) return false;
    const Place& place = known->second;
    stored.resize(size);
    if (!read_at(old->file.get(), offset, stored, store.layout.pack(id))) return false;
    if (!unpack_chunk(place, stored, bytes)) return false;
    TRY(const Place moved, fresh.append(stored, place.length, place.codec, place.tag));
    moves[{id, offset}] = {fresh.id(), moved};
  }
  written += fresh.size();
  TRY_DO(fresh.close());
  TRY_DO(fresh.seal());
  return true;
}

Result<void> rename_chunks(StoreParts& store, const Digest& digest, Recipe recipe, const Moves& moves) {
  Recipe changed;
  changed.size = recipe.size;
  std::map<PackId, std::uint32_t> numbers;
  for (RecipeChunk& chunk : recipe.chunks) {
    PackId pack = recipe.packs[chunk.pack];
    if (const auto move = moves.find({pack, chunk.place.offset}); move != moves.end()) {
      pack = move->second.first;
      chunk.place = move->second.second;
    }
    const auto [number, is_new] = numbers.emplace(pack, static_cast<std::uint32_t>(changed.packs.size()));
    if (is_new) changed.packs.push_back(pack);
    chunk.pack = number->second;
    changed.chunks.push_back(chunk);
  }
  return store_recipe(store, digest, changed);
}

}  // namespace

Result<Descriptor> lock_collection(const Layout& layout) {
  const fs::path path = layout.root / "gc.lock";
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return failed("cannot open " + path.string());
  if (lock_alone(file.get())) return file;
  if (errno != EWOULDBLOCK) return failed("cannot lock " + path.string());
  return Unexpected(ErrorCode::kConflict, "Another collection or repair of this store runs.", "Wait until it is done.");
}

Result<bool> anyone_at_work(const Layout& layout) {
  bool any = false;
  TRY_DO(for_each_at_work(layout, [&](const OpenFile&) { any = true; }));
  return any;
}

Result<Needed> needed_chunks(const Layout& layout, const std::vector<Digest>& except) {
  TRY(const Inventory there, take_inventory(layout));
  Needed needed;
  for (const Digest& digest : there.recipes) {
    if (has(except, digest)) continue;
    auto recipe = load_recipe(layout, digest);
    if (!recipe && recipe.error().code == ErrorCode::kNotFound) continue;
    if (!recipe) return Unexpected(std::move(recipe).error());
    for (const RecipeChunk& chunk : recipe->chunks)
      needed[recipe->packs[chunk.pack]].emplace(chunk.place.offset, chunk.place.stored);
  }
  return needed;
}

Result<std::vector<PackId>> move_chunks(StoreParts& store, const std::vector<PackId>& packs, const Needed& needed,
                                        std::uint64_t& written_bytes) {
  if (packs.empty()) return std::vector<PackId>();
  const std::set<PackId> wanted(packs.begin(), packs.end());
  TRY(const Inventory there, take_inventory(store.layout));
  std::map<std::pair<PackId, std::uint64_t>, Place> places;
  std::vector<std::pair<Digest, Recipe>> touched;
  for (const Digest& digest : there.recipes) {
    auto recipe = load_recipe(store.layout, digest);
    if (!recipe) continue;
    bool uses = false;
    for (const RecipeChunk& chunk : recipe->chunks) {
      const PackId& pack = recipe->packs[chunk.pack];
      if (!wanted.contains(pack)) continue;
      uses = true;
      places[{pack, chunk.place.offset}] = chunk.place;
    }
    if (uses) touched.emplace_back(digest, std::move(*recipe));
  }
  Moves moves;
  std::vector<PackId> moved;
  for (const PackId& id : packs) {
    const auto used = needed.find(id);
    if (used == needed.end()) continue;
    Moves of_this;
    TRY(const bool done, move_pack(store, id, used->second, places, of_this, written_bytes));
    if (!done) continue;
    moves.merge(of_this);
    moved.push_back(id);
  }
  TRY_DO(store.disk.sync_folder(store.layout.pack_root()));
  for (auto& [digest, recipe] : touched) TRY_DO(rename_chunks(store, digest, std::move(recipe), moves));
  return moved;
}

Result<Collected> collect_blobs(StoreParts& store, const std::function<Result<std::vector<Digest>>()>& roots,
                                const CollectOptions& options, const OnUpkeep& on_progress) {
  TRY(const Descriptor lock, lock_collection(store.layout));
  return Collection(store, options, on_progress).run(roots);
}

}  // namespace backstay::blobs
