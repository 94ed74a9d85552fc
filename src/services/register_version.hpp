#pragma once

#include <filesystem>
#include <functional>

#include "services/next_version.hpp"
#include "services/registry.hpp"
#include "wire/version_spec.hpp"

namespace backstay::services {

/// When a version that is registered already is the one that is to be registered.
enum class TakenAs {
  kSame,  ///< Its manifest is the same. Profiles may differ, since other releases make other ones of the same data.
  kSameContent,  ///< Also when only where it was registered from differs: commit, uncommitted changes, machine.
};

struct RegisteredVersion {
  StoredVersion version;
  registry::Manifest manifest;
  bool created = false;              ///< False: this content was registered under this version before, and
  bool reused = false;               ///< from elsewhere (TakenAs::kSameContent); `manifest` is what is registered.
  std::vector<std::string> missing;  ///< What keeps it from production.
  StoredScan scan;                   ///< The newest of it.
  std::vector<std::string> warnings{};
};

/// Streams the files a spec names into the blob store, scans the artifacts, then stores the manifest and its audit
/// entry in one transaction. `folder` is what relative paths in the spec are relative to. Interrupted at any point it
/// leaves no version, at most blobs that a repeat finds again.
Result<RegisteredVersion> register_version(Registry registry, const wire::VersionSpec& spec,
                                           const std::filesystem::path& folder, const Actor& actor,
                                           const OnProgress& progress = {}, TakenAs taken_as = TakenAs::kSame);

/// What register_version() would do.
struct PlannedVersion {
  registry::Manifest manifest;
  Digest identity;
  std::vector<std::string> missing;
  std::vector<std::string> warnings;
  bool registered = false;       ///< This version is registered with this content.
  std::optional<Error> refusal;  ///< What register_version() would end with.
  VersionAdvice advice;
};

/// Reads and hashes everything like register_version(), checks the same, and stores nothing. What stops it before the
/// manifest is known is its error; what would stop it after that is the plan's refusal.
Result<PlannedVersion> plan_version(Registry registry, const wire::VersionSpec& spec,
                                    const std::filesystem::path& folder, const OnProgress& progress = {},
                                    TakenAs taken_as = TakenAs::kSame);

/// Stores a whole manifest whose blobs have been uploaded already; kFailedPrecondition names the first that has not.
Result<RegisteredVersion> register_manifest(Registry registry, registry::Manifest manifest, const Actor& actor);

}  // namespace backstay::services
