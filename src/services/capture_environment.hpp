#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "services/capture_version.hpp"

namespace backstay::services {

/// The part of capture_version that is about the environment: versions and pinning from the spec's lock files, the
/// machine, an interpreter's packages (kept as a lock file of their own, installed-packages.txt).
Result<void> capture_environment(BlobStore* blobs, const CaptureOptions& options, const std::filesystem::path& folder,
                                 wire::VersionSpec& spec, std::vector<std::string>& warnings);

}  // namespace backstay::services
