#pragma once

#include <vector>

#include "base/result.hpp"
#include "domain/guardrails/claim.hpp"
#include "domain/rollout/plan.hpp"

namespace backstay::monitor {

/// A requirement of a plan as it is looked at: the signal of which guardrail, and the claim's test.
struct Required {
  std::size_t index = 0;  ///< Of the step that it is of; plan.steps.size(): the watch.
  std::size_t guardrail = 0;
  guardrails::GuardrailSpec spec;
  double alpha = 0.05;
};

/// All that a plan requires, in the order of its steps. Says which requirement names no guardrail, or makes a claim
/// that the guardrail's signal has no test for.
Result<std::vector<Required>> resolve(const rollout::Plan& plan, const std::vector<guardrails::GuardrailSpec>& specs);

}  // namespace backstay::monitor
