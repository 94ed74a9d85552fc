#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "ports/blob_store.hpp"
#include "ports/ledger.hpp"

namespace backstay::services {

/// The two stores that hold versions.
struct Registry {
  VersionStore& versions;
  BlobStore& blobs;
};

/// How far a long copy is.
struct Progress {
  std::string name;  ///< The file that is read now.
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
};
using OnProgress = std::function<void(const Progress&)>;

/// Who acts, for the audit log.
struct Actor {
  std::string name;
};

Result<registry::Manifest> manifest_of(const StoredVersion& stored);

/// The newest version of the model in Production, other than `ref`.
Result<std::optional<registry::VersionRef>> production_of(const VersionStore& versions,
                                                          const registry::VersionRef& ref);

}  // namespace backstay::services
