#pragma once

#include "services/records.hpp"

namespace backstay::services {

/// Whether a version may become an endpoint's candidate: it exists, it is complete and not archived, every gate passed
/// it with all of its scorecards, the endpoint does not serve it already, it was measured and judged anew since a
/// guardrail took it back, nothing it was made from is in quarantine, and it fits the infrastructure that is live. The
/// error says which and what to do.
Result<void> check_rollout(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate);

/// Whether a guardrail took the version back on this endpoint and it was not measured and judged anew since.
Result<void> check_taken_back(const Records& records, const std::string& endpoint,
                              const registry::VersionRef& candidate);

/// Whether the endpoint, or this version on it, was taken back so often of late that a release has to wait
/// (rollout::damped); kFailedPrecondition says until when. A person may go past it with a reason.
Result<void> check_damping(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate,
                           Timestamp now);

/// Whether an endpoint may return to a version that served before: no quarantine, and it fits what is live. Gates were
/// passed when it was released, and being archived is what it became when it was replaced. A candidate that misbehaves
/// is never kept by this: its stable version serves already.
Result<void> check_return(const Records& records, const registry::VersionRef& version);

}  // namespace backstay::services
