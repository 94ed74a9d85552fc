#pragma once

#include <filesystem>

#include "services/registry.hpp"

namespace backstay::services {

/// How a version is checked out, beside what BlobStore::check_out does with each file.
struct VersionCheckout {
  std::string signature;     ///< Becomes target/model.sig when it is not empty.
  bool always_hash = false;  ///< See BlobStore::check_out.
  OnProgress progress;
};

struct CheckedOut {
  std::filesystem::path folder;
  registry::Manifest manifest;
  std::uint64_t total_bytes = 0;
  std::uint64_t hashed_bytes = 0;  ///< Of artifacts; the others are unchanged since the store hashed and sealed them.
  std::uint64_t copied_bytes = 0;  ///< Of artifacts; the others share the store's blocks.
};

/// Writes a version's artifacts into `target`, which must not exist, and its manifest, preprocessing and lock files
/// under target/.backstay. Every byte is verified (`always_hash`: see CheckOutOptions); the folder appears complete
/// or not at all. Files are read-only: they may be the store's own.
Result<CheckedOut> check_out_version(Registry registry, const registry::VersionRef& ref,
                                     const std::filesystem::path& target, const VersionCheckout& options = {});

}  // namespace backstay::services
