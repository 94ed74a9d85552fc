#include "services/collect_garbage.hpp"

#include <fmt/format.h>

namespace backstay::services {

Result<Collected> collect_garbage(const VersionStore& versions, AuditLog& audit, BlobUpkeep& upkeep,
                                  const CollectOptions& options, const Actor& actor, const OnProgress& progress) {
  const auto roots = [&]() -> Result<std::vector<Digest>> {
    std::vector<Digest> digests;
    TRY_DO(versions.referenced_blobs([&](const BlobReference& blob) { digests.push_back(blob.sha256); }));
    return digests;
  };
  OnUpkeep on_progress;
  if (progress)
    on_progress = [&](const UpkeepProgress& state) { progress({state.name, state.done_bytes, state.total_bytes}); };
  TRY(const Collected done, upkeep.collect(roots, options, on_progress));
  if (!options.dry_run && done.blobs + done.copies + done.packs > 0)
    TRY_DO(audit.append({actor.name, "store.collect", "store", "",
                         fmt::format("{{\"blobs\":{},\"copies\":{},\"packs\":{},\"freed_bytes\":{},\"lease_ms\":{}}}",
                                     done.blobs, done.copies, done.packs, done.freed_bytes, options.lease.count())}));
  return done;
}

}  // namespace backstay::services
