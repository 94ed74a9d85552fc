#pragma once

#include <string>

#include "ports/blob_store.hpp"
#include "ports/ledger.hpp"

namespace backstay::services {

/// The two stores that hold versions.
struct Registry {
  VersionStore& versions;
  BlobStore& blobs;
};

/// Who acts, for the audit log.
struct Actor {
  std::string name;
};

Result<registry::Manifest> manifest_of(const StoredVersion& stored);

}  // namespace backstay::services
