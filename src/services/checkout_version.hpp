#pragma once

#include <filesystem>

#include "services/registry.hpp"

namespace backstay::services {

struct CheckedOut {
  std::filesystem::path folder;
  registry::Manifest manifest;
  std::uint64_t total_bytes = 0;
};

/// Writes a version's artifacts into `target`, which must not exist, and its manifest, preprocessing and lock files
/// under target/.backstay. Every byte is verified; the folder appears complete or not at all. `signature`, when not
/// empty, becomes target/model.sig.
Result<CheckedOut> check_out_version(Registry registry, const registry::VersionRef& ref,
                                     const std::filesystem::path& target, const std::string& signature = {});

}  // namespace backstay::services
