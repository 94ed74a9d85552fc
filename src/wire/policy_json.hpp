#pragma once

#include <string>

#include "base/result.hpp"
#include "domain/guardrails/guardrail_spec.hpp"

namespace backstay::wire {

/// The guardrails that decide about a rollout, written out with every default, so that a recording can be replayed when
/// the defaults are others. What one reads is what the other wrote: equal to the last bit.
std::string to_json(const guardrails::Policy& policy);
Result<guardrails::Policy> policy_from_json(const std::string& text);

}  // namespace backstay::wire
