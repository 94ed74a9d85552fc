#include "wire/policy_json.hpp"

#include <gtest/gtest.h>

namespace backstay::wire {
namespace {

using guardrails::GuardrailSpec;
using guardrails::Objective;
using guardrails::Predicate;
using guardrails::Signal;

std::vector<GuardrailSpec> one_of_each() {
  std::vector<GuardrailSpec> out = guardrails::default_guardrails();
  GuardrailSpec safety;
  safety.name = "safety";
  safety.signal.kind = Signal::Kind::kResponseValue;
  safety.signal.json_pointer = "/safety";
  safety.signal.ok_when = Predicate{Predicate::Op::kBelow, 0.1 + 0.2};
  safety.objective = {Objective::Kind::kAtLeast, 0.95 + 1e-16};
  safety.alpha = 1.0 / 3;
  safety.min_samples = 17;
  safety.window = milliseconds(3'600'000);
  safety.action = guardrails::Action::kFlag;
  out.push_back(safety);
  GuardrailSpec labels;
  labels.name = "sensitivity";
  labels.signal.kind = Signal::Kind::kFeedback;
  labels.signal.header = "X-Score";
  labels.signal.positive_at = 0.7;
  labels.signal.among = Signal::Among::kPositives;
  labels.objective = {Objective::Kind::kAtLeast, 0.9};
  labels.action = guardrails::Action::kPause;
  out.push_back(labels);
  GuardrailSpec slow;
  slow.name = "slow";
  slow.signal.kind = Signal::Kind::kLatency;
  slow.objective = {Objective::Kind::kAtMost, 0.25};
  slow.objective.quantile = 0.9;
  out.push_back(slow);
  return out;
}

TEST(PolicyJson, ReadsBackWhatItWroteToTheLastBit) {
  const std::vector<GuardrailSpec> policy = one_of_each();
  const auto back = policy_from_json(to_json(policy));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->size(), policy.size());
  for (std::size_t i = 0; i < policy.size(); ++i) EXPECT_EQ((*back)[i], policy[i]) << policy[i].name;
}

TEST(PolicyJson, APersonsFileHasTheGuardrailsOfAConfiguration) {
  const auto policy = policy_from_yaml("p.yaml",
                                       "guardrails:\n  - name: errors\n    signal: {kind: error}\n"
                                       "    objective: {relative_to: stable}\n    alpha: 0.001\n");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->at(0).alpha, 0.001);
  EXPECT_NE(policy_from_yaml("p.yaml", "guardrails: []").error().message.find("names no guardrails"),
            std::string::npos);
  EXPECT_NE(policy_from_yaml("p.yaml", "guardrail: []").error().hint.find("guardrails"), std::string::npos);
}

}  // namespace
}  // namespace backstay::wire
