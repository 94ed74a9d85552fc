#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "storage/local_blobs/formats.hpp"

namespace backstay::blobs {

/// Places of the stored chunks by their tags, read from the packs' indexes when the first large blob is written: about
/// 100 bytes of memory per chunk. Only a hint: what it says is compared before it is used. Thread-safe.
class ChunkIndex {
 public:
  struct Found {
    PackId pack;
    Place place;
  };
  /// Reads the indexes of packs that are not known yet and forgets those that are gone. A damaged one is left out (fsck
  /// names it): its chunks are stored anew.
  Result<void> refresh(const Layout& layout);
  std::optional<Found> find(const Tag& tag, std::uint32_t length) const;
  void add(const PackId& pack, const std::vector<Place>& places);
  void forget(const PackId& pack);

 private:
  struct Entry {
    std::uint32_t pack = 0;
    Place place;
  };
  struct Hash {
    std::size_t operator()(const Tag& tag) const { return tag.low; }
  };
  void add_locked(const PackId& pack, const std::vector<Place>& places);

  mutable std::mutex mutex_;
  std::vector<PackId> packs_;  ///< By Entry::pack.
  std::map<PackId, std::uint32_t> known_;
  std::unordered_map<Tag, Entry, Hash> entries_;
};

/// The names in ROOT/packs that packs have.
Result<std::vector<PackId>> list_packs(const Layout& layout);
/// Reads and checks a pack's index.
Result<std::vector<Place>> read_pack_index(const OpenFile& pack, const fs::path& path);

}  // namespace backstay::blobs
