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

/// Records that `actor` answers for what the newest scan of a version calls dangerous, for as long as `valid`. Refused
/// without a reason, for longer than a year, and for a version whose newest scan isn't dangerous.
Result<ScanException> accept_scan(VersionStore& versions, const registry::VersionRef& ref, const std::string& reason,
                                  milliseconds valid, const Actor& actor);

/// What a version's newest scan means for production.
struct ScanStanding {
  std::optional<StoredScan> newest;        ///< None: it was never scanned.
  std::optional<ScanException> exception;  ///< In force, about what the newest scan found.
};
Result<ScanStanding> scan_standing(const VersionStore& versions, const registry::VersionRef& ref);

/// "posix.system, builtins.eval and 3 more": what findings of this verdict or worse are about.
std::string scan_summary(const scan::Report& report, scan::Verdict at_least);

/// Why a version may not serve production because of its scan. Success: it may.
Result<void> check_scan(const VersionStore& versions, const registry::VersionRef& ref);

/// What whoever releases a version should know of its scan although it may go on: what is suspicious, and who answers
/// for what is dangerous. Empty: nothing.
Result<std::string> scan_warning(const VersionStore& versions, const registry::VersionRef& ref);

}  // namespace backstay::services
