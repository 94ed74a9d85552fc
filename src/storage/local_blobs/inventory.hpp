#pragma once

#include <set>
#include <utility>
#include <vector>

#include "ports/blob_upkeep.hpp"
#include "storage/local_blobs/store_parts.hpp"

namespace backstay::blobs {

/// The names in a store, sorted.
struct Inventory {
  std::vector<Digest> whole;
  std::vector<Digest> recipes;
  std::vector<PackId> packs;
  std::vector<fs::path> foreign;  ///< What has a name or a type that nothing of the store has.
};
Result<Inventory> take_inventory(const Layout& layout);

Result<StoreUsage> measure_usage(const Layout& layout);

/// Chunks by their places, to tell what of a pack is needed.
using Needed = std::map<PackId, std::set<std::pair<std::uint64_t, std::uint32_t>>>;  ///< (offset, stored bytes)

}  // namespace backstay::blobs
