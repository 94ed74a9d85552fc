#pragma once

#include "ports/blob_upkeep.hpp"
#include "storage/local_blobs/inventory.hpp"

namespace backstay::blobs {

/// See BlobUpkeep::collect. The order makes it safe to be killed anywhere: lists of chunks go before the packs they
/// name, a rewritten pack is durable before the first list names it, and the old one goes when no list does.
Result<Collected> collect_blobs(StoreParts& store, const std::function<Result<std::vector<Digest>>()>& roots,
                                const CollectOptions& options, const OnUpkeep& on_progress);

/// Holds ROOT/gc.lock: at most one process moves chunks.
Result<Descriptor> lock_collection(const Layout& layout);

/// Whether a hold or a writer is there: a file in tmp/ that is locked.
Result<bool> anyone_at_work(const Layout& layout);

/// Copies the chunks of `packs` that `needed` names into new packs and changes every list of chunks to name those; the
/// packs themselves stay. Chunks that are damaged keep a pack from being moved. Returns the packs that were moved and
/// adds what was written to `written_bytes`.
Result<std::vector<PackId>> move_chunks(StoreParts& store, const std::vector<PackId>& packs, const Needed& needed,
                                        std::uint64_t& written_bytes);

/// What the lists of chunks in the store need, of each pack; without those in `except` (sorted). kIntegrity when a list
/// can't be read: then nothing is known.
Result<Needed> needed_chunks(const Layout& layout, const std::vector<Digest>& except);

}  // namespace backstay::blobs
