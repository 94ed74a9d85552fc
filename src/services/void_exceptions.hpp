#pragma once

#include <string>
#include <vector>

#include "services/signed_exception.hpp"

/// Why exceptions from gates (accept_gate.hpp) do not count.
namespace backstay::services {

/// Why an exception covers nothing, whoever trusts its key: "expired at 2026-11-30T10:00:00Z", "is about an earlier
/// verdict". Empty: it covers the newest verdict by its gate file. `verdicts`: of the version, newest first. The
/// signature is not looked at.
std::string why_void(const GateException& exception, const StoredVersion& version,
                     const std::vector<StoredVerdict>& verdicts, Timestamp now);

/// A sentence about the newest exception from the gate of a verdict that none covers, of those with a trusted key if
/// there are any: "The exception of alice (key 01234567) expired at ...". Empty: there is none.
Result<std::string> why_not_covered(const TrustedExceptions& trusted, const StoredVersion& version,
                                    const StoredVerdict& verdict);

}  // namespace backstay::services
