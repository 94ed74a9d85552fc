#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "services/registry.hpp"

namespace backstay::services {

/// Scans a manifest's artifacts in the store. `verify`: their digests are checked first, so that what was looked at is
/// what was registered.
Result<scan::Report> scan_artifacts(const BlobStore& blobs, const registry::Manifest& manifest, bool verify);

/// A scan by `actor` that isn't stored yet.
Result<StoredScan> new_scan(const BlobStore& blobs, const registry::Manifest& manifest, const Actor& actor,
                            bool verify);

/// Scans a registered version now and stores the result beside the earlier ones.
Result<StoredScan> scan_version(Registry registry, const registry::VersionRef& ref, const Actor& actor);

/// The newest scan; scans now when there is none, as for versions from before there was a scanner.
Result<StoredScan> ensure_scanned(Registry registry, const registry::VersionRef& ref, const Actor& actor);

/// Scans files and folders of this machine, without a registry.
Result<scan::Report> scan_files(const std::filesystem::path& path);

/// "posix.system, builtins.eval and 3 more": what findings of this verdict or worse are about.
std::string scan_summary(const scan::Report& report, scan::Verdict at_least);

}  // namespace backstay::services
