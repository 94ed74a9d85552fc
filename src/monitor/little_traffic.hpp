#pragma once

#include <string>
#include <vector>

#include "domain/guardrails/guardrail_spec.hpp"
#include "domain/rollout/plan.hpp"

namespace backstay::monitor {

/// Which guardrails will hardly see enough of the candidate to decide anything in this plan, at the traffic that the
/// endpoint has: sentences. `requests_per_second`: of all versions together; not above zero: not known, nothing is
/// said. Of labels, reports and verdicts at most as many come as there are answers. Pure.
std::vector<std::string> little_traffic(const std::vector<guardrails::GuardrailSpec>& specs, const rollout::Plan& plan,
                                        double requests_per_second);

}  // namespace backstay::monitor
