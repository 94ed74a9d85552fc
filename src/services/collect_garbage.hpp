#pragma once

#include "ports/blob_upkeep.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// Removes blobs that nothing in the ledger refers to and whose lease is over, and writes into the audit log that it
/// did. What is registered meanwhile stays. kConflict when another one runs; kIntegrity when a record can't be read,
/// for then nobody knows what it refers to.
Result<Collected> collect_garbage(const VersionStore& versions, AuditLog& audit, BlobUpkeep& upkeep,
                                  const CollectOptions& options, const Actor& actor, const OnProgress& progress = {});

}  // namespace backstay::services
