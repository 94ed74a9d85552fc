#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/audit/entry.hpp"
#include "domain/registry/semantic_version.hpp"
#include "domain/scan/report.hpp"

namespace backstay {

/// What a scan of a version's artifacts said. Append-only.
struct StoredScan {
  std::int64_t id = 0;
  std::string scanner;  ///< scan::kScannerVersion of the program that scanned.
  scan::Report report;
  Timestamp at;
  std::string by;
};

/// A person's word that a version may go to production although its scan says dangerous. Append-only. It is about
/// exactly this version (`identity`) and exactly what was found (`findings`): what a later scan finds more isn't
/// covered.
struct ScanException {
  std::int64_t id = 0;
  Digest identity;  ///< The version's.
  Digest findings;  ///< digest_of() the scan that was accepted.
  std::string reason;
  std::string signed_by;
  Timestamp at;
  Timestamp expires;
};

/// SHA-256 over what was found, in a form that doesn't depend on how it is stored.
Digest digest_of(const scan::Report& report);

/// Scans of versions and exceptions from them. Part of VersionStore.
class ScanStore {
 public:
  virtual ~ScanStore() = default;
  /// `id` and `at` are given by the store.
  virtual Result<StoredScan> add_scan(const registry::VersionRef& ref, const StoredScan& scan,
                                      const audit::Draft& draft) = 0;
  /// Newest first.
  virtual Result<std::vector<StoredScan>> scans(const registry::VersionRef& ref) const = 0;

  /// `id`, `identity`, `at` and `expires` (at + valid) are given by the store.
  virtual Result<ScanException> add_scan_exception(const registry::VersionRef& ref, const ScanException& exception,
                                                   milliseconds valid, const audit::Draft& draft) = 0;
  /// Newest first, expired ones too.
  virtual Result<std::vector<ScanException>> scan_exceptions(const registry::VersionRef& ref) const = 0;
  /// The newest that is about these findings and hasn't expired by the store's clock.
  virtual Result<std::optional<ScanException>> scan_exception_in_force(const registry::VersionRef& ref,
                                                                       const Digest& findings) const = 0;
};

}  // namespace backstay
