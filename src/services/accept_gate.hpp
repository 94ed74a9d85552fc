#pragma once

#include <optional>
#include <string>

#include "services/signed_exception.hpp"

namespace backstay::services {

/// Signs and stores that `actor` answers for a version that a gate did not pass, for as long as `valid` (a year at
/// most). `gate`: the gate's name. It is about that gate file, this version, and the newest verdict's evidence, and
/// about nothing that is found later.
Result<GateException> accept_gate(const VersionStore& versions, GateExceptionStore& exceptions,
                                  const registry::VersionRef& ref, const std::string& gate, const std::string& reason,
                                  milliseconds valid, const signing::PrivateKey& key, const Actor& actor,
                                  Timestamp now);

/// The newest exception that covers this verdict: signed by a trusted key, about this version, gate file and evidence,
/// and not expired.
Result<std::optional<wire::GateExceptionStatement>> exception_for(const TrustedExceptions& trusted,
                                                                  const StoredVersion& version,
                                                                  const StoredVerdict& verdict);

}  // namespace backstay::services
