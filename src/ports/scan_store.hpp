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

/// A person's signed word that a version may go to production although its scan says dangerous. Append-only. What
/// counts is the signed statement, which is about exactly one version and exactly what was found: what a later scan
/// finds more isn't covered. The other members only say what is in it.
struct ScanException {
  std::int64_t id = 0;
  Digest findings;       ///< digest_of() the scan that was accepted.
  std::string envelope;  ///< DSSE, of an in-toto statement (wire/exception_json.hpp). Empty: of a registry from before
                         ///< there were signatures on them; it counts nowhere.
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

  /// `id` and `at` are given by the store.
  virtual Result<ScanException> add_scan_exception(const registry::VersionRef& ref, const ScanException& exception,
                                                   const audit::Draft& draft) = 0;
  /// Newest first, expired ones too; those without a signature last.
  virtual Result<std::vector<ScanException>> scan_exceptions(const registry::VersionRef& ref) const = 0;
};

}  // namespace backstay
