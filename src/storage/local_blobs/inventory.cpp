#include "storage/local_blobs/inventory.hpp"

#include <algorithm>

#include "storage/local_blobs/blob_reader.hpp"

namespace backstay::blobs {

namespace {

/// Calls `each` with every entry; a folder that is not there has none.
template <class Each>
Result<void> for_each_entry(const fs::path& folder, Each each) {
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure))
    each(*entry);
  if (failure && failure != std::errc::no_such_file_or_directory)
    return Unexpected(error_from_errno(failure.value(), "cannot read " + folder.string()));
  return {};
}

bool is_file(const fs::directory_entry& entry) {
  std::error_code failure;
  return !entry.is_symlink(failure) && entry.is_regular_file(failure);
}

bool is_folder(const fs::directory_entry& entry) {
  std::error_code failure;
  return !entry.is_symlink(failure) && entry.is_directory(failure);
}

/// ab/<hex>
Result<std::vector<Digest>> list_digests(const fs::path& folder, std::vector<fs::path>& foreign) {
  std::vector<Digest> found;
  std::vector<fs::path> shards;
  TRY_DO(for_each_entry(folder, [&](const fs::directory_entry& entry) {
    (is_folder(entry) && entry.path().filename().string().size() == 2 ? shards : foreign).push_back(entry.path());
  }));
  for (const fs::path& shard : shards) {
    TRY_DO(for_each_entry(shard, [&](const fs::directory_entry& entry) {
      const std::string name = entry.path().filename().string();
      const auto digest = Digest::from_hex(name);
      if (digest && is_file(entry) && name.starts_with(shard.filename().string())) {
        found.push_back(*digest);
      } else {
        foreign.push_back(entry.path());
      }
    }));
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

Result<Inventory> take_inventory(const Layout& layout) {
  Inventory out;
  const std::set<fs::path> ours{layout.tmp(),       layout.whole_root(),  layout.recipe_root(),
                                layout.pack_root(), layout.root / "lock", layout.root / "gc.lock"};
  TRY_DO(for_each_entry(layout.root, [&](const fs::directory_entry& entry) {
    if (!ours.contains(entry.path())) out.foreign.push_back(entry.path());
  }));
  TRY(out.whole, list_digests(layout.whole_root(), out.foreign));
  TRY(out.recipes, list_digests(layout.recipe_root(), out.foreign));
  TRY(out.packs, list_packs(layout));
  std::set<fs::path> packs;
  for (const PackId& id : out.packs) packs.insert(layout.pack(id));
  TRY_DO(for_each_entry(layout.pack_root(), [&](const fs::directory_entry& entry) {
    if (!packs.contains(entry.path()) || !is_file(entry)) out.foreign.push_back(entry.path());
  }));
  std::sort(out.foreign.begin(), out.foreign.end());
  return out;
}

Result<StoreUsage> measure_usage(const Layout& layout) {
  TRY(const Inventory there, take_inventory(layout));
  StoreUsage usage;
  for (const Digest& digest : there.recipes) {
    const auto recipe = load_recipe(layout, digest);
    if (!recipe) continue;  // Damaged (fsck tells), or gone meanwhile.
    ++usage.blobs;
    usage.blob_bytes += recipe->size;
    usage.chunks += recipe->chunks.size();
  }
  for (const Digest& digest : there.whole) {
    std::error_code gone;
    const std::uint64_t size = fs::file_size(layout.whole(digest), gone);
    if (gone || std::binary_search(there.recipes.begin(), there.recipes.end(), digest)) continue;
    ++usage.blobs;
    usage.blob_bytes += size;
  }
  for (const fs::path& folder : {layout.whole_root(), layout.recipe_root(), layout.pack_root()}) {
    TRY(const FolderSize size, size_of_folder(folder));
    usage.stored_bytes += size.bytes;
    usage.files += size.files;
  }
  return usage;
}

}  // namespace backstay::blobs
