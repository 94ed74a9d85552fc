#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "domain/guardrails/guardrail.hpp"

namespace backstay::wire {

/// The guardrails that decide about a rollout, written out with every default, so that a recording can be replayed when
/// the defaults are others. What one reads is what the other wrote: equal to the last bit.
std::string to_json(const std::vector<guardrails::GuardrailSpec>& policy);
Result<std::vector<guardrails::GuardrailSpec>> policy_from_json(const std::string& text);

/// A policy that a person wrote: a file with the list `guardrails`, as in the configuration of an endpoint.
Result<std::vector<guardrails::GuardrailSpec>> policy_from_yaml(const std::string& name, const std::string& text);

}  // namespace backstay::wire
