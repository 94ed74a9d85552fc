#pragma once

#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

/// The in-toto statements (v1) by which a person answers for releasing a version all the same: although a gate did not
/// pass it (predicate type urn:backstay:gate-exception:v1), or although its scan calls it dangerous
/// (urn:backstay:scan-exception:v1).
namespace backstay::wire {

/// Who answers for which version, why, and until when.
struct ExceptionTerms {
  std::string version;     ///< "m@1.0.0"
  Digest manifest_sha256;  ///< The version's identity: the statement's subject.
  std::string reason;
  std::string signed_by;
  Timestamp signed_at;
  Timestamp expires;
  bool operator==(const ExceptionTerms&) const = default;
};

struct GateExceptionStatement {
  ExceptionTerms terms;
  std::string gate;        ///< Its name; what counts is:
  Digest gate_sha256;      ///< Of the gate file.
  Digest evidence_sha256;  ///< Of the verdict's evidence: another verdict is not covered.
  std::string verdict;     ///< "FAIL" or "INSUFFICIENT"
  bool operator==(const GateExceptionStatement&) const = default;
};

struct ScanExceptionStatement {
  ExceptionTerms terms;
  Digest findings_sha256;  ///< digest_of() the scan (ports/scan_store.hpp): what a later scan finds is not covered.
  std::string found;       ///< "posix.system and 2 more", for who reads it.
  bool operator==(const ScanExceptionStatement&) const = default;
};

std::string to_json(const GateExceptionStatement& statement);
std::string to_json(const ScanExceptionStatement& statement);
Result<GateExceptionStatement> gate_exception_from_json(const std::string& name, std::string_view text);
Result<ScanExceptionStatement> scan_exception_from_json(const std::string& name, std::string_view text);

}  // namespace backstay::wire
