#pragma once

#include "services/records.hpp"

namespace backstay::services {

/// Whether a version may become an endpoint's candidate: it exists, it is complete and not archived, every gate passed
/// it with all of its scorecards, the endpoint does not serve it already, it was measured and judged anew since a
/// guardrail took it back, nothing it was made from is in quarantine, and it fits the infrastructure that is live. The
/// error says which and what to do.
Result<void> check_rollout(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate);

/// The same, but that it may be archived or in service: whether it could be released there once it is restored.
Result<void> check_eligible(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate);

/// Whether an endpoint may return to a version that served before: no quarantine, and it fits what is live. Gates were
/// passed when it was released, and being archived is what it became when it was replaced. A candidate that misbehaves
/// is never kept by this: its stable version serves already.
Result<void> check_return(const Records& records, const registry::VersionRef& version);

}  // namespace backstay::services
