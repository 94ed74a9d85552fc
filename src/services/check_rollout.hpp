#pragma once

#include <string>
#include <vector>

#include "services/records.hpp"

namespace backstay::services {

/// A gate that versions must have passed before an endpoint takes them: this file, byte for byte. A file of the same
/// name with other rules is another gate.
struct RequiredGate {
  std::string file;  ///< As the configuration names it; empty: it names the digest only.
  Digest sha256;
};

/// Whether a version may become an endpoint's candidate: it exists, it is complete and not archived, every gate passed
/// it with all of its scorecards, the endpoint does not serve it already, it was measured and judged anew since a
/// guardrail took it back, nothing it was made from is in quarantine, it fits the infrastructure that is live, and
/// every gate in `required` says PASS about all that was measured. The error says which and what to do.
Result<void> check_rollout(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate,
                           const std::vector<RequiredGate>& required = {});

/// Whether an endpoint may return to a version that served before: no quarantine, and it fits what is live. Gates were
/// passed when it was released, and being archived is what it became when it was replaced. A candidate that misbehaves
/// is never kept by this: its stable version serves already.
Result<void> check_return(const Records& records, const registry::VersionRef& version);

}  // namespace backstay::services
