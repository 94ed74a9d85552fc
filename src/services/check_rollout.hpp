#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/accept_gate.hpp"
#include "services/records.hpp"

namespace backstay::services {

/// A gate that versions must have passed before an endpoint takes them: this file, byte for byte. A file of the same
/// name with other rules is another gate.
struct RequiredGate {
  std::string file;  ///< As the configuration names it; empty: it names the digest only.
  Digest sha256;
};

/// What an endpoint asks of versions beyond what is asked everywhere.
struct ReleaseRules {
  std::vector<RequiredGate> required;
  /// A gate that did not say PASS is passed by an exception that is trusted here.
  TrustedExceptions exceptions;
};

/// Whether a version may become an endpoint's candidate: it exists, it is complete and not archived, every gate passed
/// it with all of its scorecards, the endpoint does not serve it already, it was measured and judged anew since a
/// guardrail took it back, nothing it was made from is in quarantine, it fits the infrastructure that is live, and
/// every gate that `rules` require says PASS about all that was measured. The error says which and what to do.
Result<void> check_rollout(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate,
                           const ReleaseRules& rules = {});

/// What the version's release rests on beside figures that were measured or signed: "Gate 'production' said FAIL: alice
/// answers for it until 2026-12-01 (...)", "Gate 'production' said PASS on scorecards that were written by hand: ...".
Result<std::vector<std::string>> weak_evidence(const Records& records, const registry::VersionRef& candidate,
                                               const ReleaseRules& rules);

/// Whether every gate that `rules` require of the endpoint's versions says PASS about all that was measured.
Result<void> check_required(const Records& records, const std::string& endpoint, const StoredVersion& candidate,
                            const ReleaseRules& rules);

/// Whether a guardrail took the version back on this endpoint and it was not measured and judged anew since. What
/// nobody orders but Backstay itself is not to bring back what `anyone` took back or left.
enum class TakenBackBy : std::uint8_t { kGuardrails, kAnyone };
Result<void> check_taken_back(const Records& records, const std::string& endpoint,
                              const registry::VersionRef& candidate, TakenBackBy by = TakenBackBy::kGuardrails);

/// Whether the endpoint, or this version on it, was taken back so often of late that a release has to wait
/// (rollout::damped); kFailedPrecondition says until when. A person may go past it with a reason.
Result<void> check_damping(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate,
                           Timestamp now);

/// Whether a release that was decided may be stored: check_rollout(), and check_damping() unless it is forced.
Result<void> check_start(const Records& records, const rollout::State& started, const std::string& model,
                         const ReleaseRules& rules, Timestamp now);

/// As check_rollout(), but that it may be archived or in service: whether it could be released there once it is
/// restored.
Result<void> check_eligible(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate,
                            const ReleaseRules& rules = {});

/// Whether an endpoint may return to a version that served before: no quarantine, and it fits what is live. Gates were
/// passed when it was released, and being archived is what it became when it was replaced. A candidate that misbehaves
/// is never kept by this: its stable version serves already.
Result<void> check_return(const Records& records, const registry::VersionRef& version);

}  // namespace backstay::services
