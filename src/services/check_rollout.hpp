#pragma once

#include "services/registry.hpp"

namespace backstay::services {

/// Whether a version may become an endpoint's candidate: it exists, it is complete, every gate passed it, the endpoint
/// does not serve it already, and no guardrail took it back since its newest verdict. The error says which and what to
/// do.
Result<void> check_rollout(VersionStore& versions, const RolloutStore& rollouts, const std::string& endpoint,
                           const registry::VersionRef& candidate);

}  // namespace backstay::services
