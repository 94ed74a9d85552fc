#pragma once

#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

/// The in-toto statement (v1) by which a person answers for releasing a version that a gate did not pass; its predicate
/// type is urn:backstay:gate-exception:v1.
namespace backstay::wire {

struct GateExceptionStatement {
  std::string version;     ///< "m@1.0.0"
  Digest manifest_sha256;  ///< The version's identity: the statement's subject.
  std::string gate;        ///< Its name; what counts is:
  Digest gate_sha256;      ///< Of the gate file.
  Digest evidence_sha256;  ///< Of the verdict's evidence: another verdict is not covered.
  std::string verdict;     ///< "FAIL" or "INSUFFICIENT"
  std::string reason;
  std::string signed_by;
  Timestamp signed_at;
  Timestamp expires;
  bool operator==(const GateExceptionStatement&) const = default;
};

std::string to_json(const GateExceptionStatement& statement);
Result<GateExceptionStatement> gate_exception_from_json(const std::string& name, std::string_view text);

}  // namespace backstay::wire
