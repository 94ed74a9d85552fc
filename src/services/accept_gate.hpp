#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ports/gate_exceptions.hpp"
#include "services/registry.hpp"
#include "signing/key.hpp"
#include "wire/gate_exception_json.hpp"

namespace backstay::services {

/// Signs and stores that `actor` answers for a version that a gate did not pass, for as long as `valid` (a year at
/// most). `gate`: the gate's name. It is about that gate file, this version, and the newest verdict's evidence, and
/// about nothing that is found later. Whether it counts is for each endpoint to say, by the keys it trusts.
Result<GateException> accept_gate(const VersionStore& versions, GateExceptionStore& exceptions,
                                  const registry::VersionRef& ref, const std::string& gate, const std::string& reason,
                                  milliseconds valid, const signing::PrivateKey& key, const Actor& actor,
                                  Timestamp now);

/// Whose exceptions an endpoint trusts, and where they are.
struct TrustedExceptions {
  const GateExceptionStore* store = nullptr;  ///< nullptr: none counts.
  std::vector<signing::PublicKey> keys;
  Timestamp now{};
};
/// The newest exception that covers this verdict: signed by a trusted key, about this version, gate file and evidence,
/// and not expired.
Result<std::optional<wire::GateExceptionStatement>> exception_for(const TrustedExceptions& trusted,
                                                                  const StoredVersion& version,
                                                                  const StoredVerdict& verdict);

}  // namespace backstay::services
