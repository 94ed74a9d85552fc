#pragma once

#include <optional>
#include <string>

#include "services/signed_exception.hpp"

/// What a scan means for production, and who answers for a version that its scan calls dangerous.
namespace backstay::services {

/// Signs and stores that `actor` answers for what the newest scan of a version calls dangerous, for as long as `valid`
/// (a year at most). Refused for a version whose newest scan isn't dangerous.
Result<ScanException> accept_scan(VersionStore& versions, const registry::VersionRef& ref, const std::string& reason,
                                  milliseconds valid, const signing::PrivateKey& key, const Actor& actor,
                                  Timestamp now);

/// What a version's newest scan said, and the newest signed exception that is about it and in force at `now`. Whether
/// its key is trusted is for each endpoint to say: trusted_exception().
struct ScanStanding {
  std::optional<StoredScan> newest;  ///< None: it was never scanned.
  std::optional<ScanException> exception;
};
Result<ScanStanding> scan_standing(const VersionStore& versions, const registry::VersionRef& ref, Timestamp now);

/// The newest exception that covers what this scan found: signed by a trusted key, about this version, not expired.
Result<std::optional<wire::ScanExceptionStatement>> trusted_exception(const VersionStore& versions,
                                                                      const TrustedExceptions& trusted,
                                                                      const StoredVersion& version,
                                                                      const scan::Report& report);

/// Why a version may not serve production because of its scan. Success: it may, where `trusted` counts.
Result<void> check_scan(const VersionStore& versions, const StoredVersion& version, const TrustedExceptions& trusted);

/// What whoever releases a version should know of its scan although it may go on: what is suspicious, and who answers
/// for what is dangerous. Empty: nothing.
Result<std::string> scan_warning(const VersionStore& versions, const StoredVersion& version,
                                 const TrustedExceptions& trusted);

}  // namespace backstay::services
