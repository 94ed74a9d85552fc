#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "ports/gate_exceptions.hpp"
#include "services/registry.hpp"
#include "signing/key.hpp"
#include "wire/exception_json.hpp"

/// What exceptions from gates (accept_gate.hpp) and from scans (accept_scan.hpp) have in common: a person signs a
/// statement, and whether it counts is for each endpoint to say, by the keys it trusts.
namespace backstay::services {

/// The terms for `version` from now on; refused without a reason, and for longer than a year.
Result<wire::ExceptionTerms> exception_terms(const StoredVersion& version, const std::string& reason,
                                             milliseconds valid, const Actor& actor, Timestamp now);

/// A DSSE envelope with one signature over the statement, as JSON.
Result<std::string> sign_statement(const std::string& statement, const signing::PrivateKey& key);

/// Whose exceptions an endpoint trusts.
struct TrustedExceptions {
  const GateExceptionStore* gates = nullptr;  ///< nullptr: none from a gate counts.
  std::vector<signing::PublicKey> keys;       ///< Empty: none counts at all.
  Timestamp now{};
};

/// The statement in an envelope that one of the trusted keys signed; none: none of them did. `name`: for errors.
Result<std::optional<std::string>> trusted_statement(const TrustedExceptions& trusted, const std::string& name,
                                                     const std::string& envelope);

/// Whether terms are about this version and in force at `now`, and don't reach further than they may.
bool in_force(const wire::ExceptionTerms& terms, const StoredVersion& version, Timestamp now);

}  // namespace backstay::services
