#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/audit/entry.hpp"
#include "domain/registry/semantic_version.hpp"

namespace backstay {

/// A person's signed word that a version may be released although a gate did not say PASS. Append-only. What counts is
/// the signed statement: the other members only say what is in it.
struct GateException {
  std::int64_t id = 0;
  Digest gate_sha256;
  std::string envelope;  ///< DSSE, of an in-toto statement (wire/gate_exception_json.hpp).
  std::string reason;
  std::string signed_by;
  Timestamp at;
  Timestamp expires;
};

/// Thread-safe; see ports/ledger.hpp.
class GateExceptionStore {
 public:
  virtual ~GateExceptionStore() = default;
  /// `id` and `at` are given by the store.
  virtual Result<GateException> add_gate_exception(const registry::VersionRef& ref, const GateException& exception,
                                                   const audit::Draft& draft) = 0;
  /// Newest first, expired ones too.
  virtual Result<std::vector<GateException>> gate_exceptions(const registry::VersionRef& ref) const = 0;
};

}  // namespace backstay
