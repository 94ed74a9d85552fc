#include "monitor/requirements.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::monitor {

namespace {

using guardrails::GuardrailSpec;
using guardrails::Objective;
using rollout::Requirement;

constexpr double kLargestMargin = 0.99;

Unexpected wrong(const Requirement& requirement, const std::string& why, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument,
                    fmt::format("The plan requires {}, and {}.", describe(requirement), why), std::move(hint));
}

Result<GuardrailSpec> spec_of(const Requirement& wanted, GuardrailSpec spec) {
  Objective& goal = spec.objective;
  const bool was_relative = goal.kind == Objective::Kind::kRelativeToStable;
  const bool latency = guardrails::is_duration(spec.signal.kind);
  if (wanted.claim == Requirement::Claim::kMeets) {
    if (latency && (was_relative || wanted.at_least || wanted.at_most))
      return wrong(
          wanted, "a latency's objective is the guardrail's own",
          "Give the guardrail an objective like {at_most: 250ms, quantile: 0.99} and require: [{meets: NAME}].");
    if (was_relative && !wanted.at_least && !wanted.at_most)
      return wrong(wanted, "that guardrail has no objective of its own",
                   "Say which: {meets: errors, at_most: 0.01}, or compare with stable: {non_inferior: errors}.");
    if (is_paired(chosen_test(spec)))
      return wrong(wanted, "that guardrail sees pairs only", "Compare with stable: {non_inferior: NAME}.");
    if (wanted.at_least || wanted.at_most) {
      spec.test = guardrails::TestKind::kAutomatic;
      goal = {};
      goal.kind = wanted.at_least ? Objective::Kind::kAtLeast : Objective::Kind::kAtMost;
      goal.bound = wanted.at_least ? *wanted.at_least : *wanted.at_most;
      spec.covariate = {};  // Explains a difference, not a level.
    }
    return spec;
  }
  if (!was_relative) {
    spec.test = guardrails::TestKind::kAutomatic;
    goal = {};
  }
  goal.kind = Objective::Kind::kRelativeToStable;
  if (wanted.claim == Requirement::Claim::kSuperior) goal.tolerance = 1, goal.margin = 0;
  if (wanted.tolerance) goal.tolerance = *wanted.tolerance;
  if (wanted.margin) goal.margin = *wanted.margin;
  if (wanted.claim == Requirement::Claim::kSuperior) return spec;
  // "No worse at all" can't be shown of an equal.
  if (goal.tolerance <= 1 && goal.margin <= 0)
    return wrong(
        wanted, "it has no tolerance: an equal version could never show it",
        "Say how much worse nobody minds: {non_inferior: errors, tolerance: 1.5}, or margin: 0.02 for a mean.");
  const bool bounded = chosen_test(spec) != guardrails::TestKind::kValueVsStable;
  if (bounded && goal.margin > kLargestMargin)
    return wrong(wanted, "its margin is as large as the score itself", "A margin of 0.02 is usual.");
  return spec;
}

}  // namespace

Result<std::vector<Required>> resolve(const rollout::Plan& plan, const std::vector<GuardrailSpec>& specs) {
  std::vector<Required> out;
  for (std::size_t index = 0; index <= plan.steps.size(); ++index) {
    for (const Requirement& wanted : plan.proof_of(index).require) {
      const auto found = std::find_if(specs.begin(), specs.end(),
                                      [&](const GuardrailSpec& spec) { return spec.name == wanted.guardrail; });
      if (found == specs.end()) {
        std::string known;
        for (const GuardrailSpec& spec : specs) known += (known.empty() ? "" : ", ") + spec.name;
        return wrong(wanted, "no guardrail has that name", fmt::format("The endpoint has: {}.", known));
      }
      const guardrails::Signal::Kind kind = found->signal.kind;
      const bool shadow = index < plan.steps.size() && plan.steps[index].kind == rollout::Step::Kind::kShadow;
      if (shadow && (guardrails::is_duration(kind) || guardrails::is_told(kind)))
        return wrong(wanted, "copies in a shadow step tell nothing of it: no client waits for them, or sees them",
                     "Require it of a canary step.");
      TRY(GuardrailSpec spec, spec_of(wanted, *found));
      if (auto valid = guardrails::validate(spec); !valid)
        return wrong(wanted, "that is refused: " + valid.error().message, valid.error().hint);
      out.push_back({index, static_cast<std::size_t>(found - specs.begin()), std::move(spec), wanted.alpha});
    }
  }
  return out;
}

}  // namespace backstay::monitor
