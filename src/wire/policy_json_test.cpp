#include "wire/policy_json.hpp"

#include <gtest/gtest.h>

#include "wire/rollout_json.hpp"

namespace backstay::wire {
namespace {

using guardrails::GuardrailSpec;
using guardrails::Objective;
using guardrails::Predicate;
using guardrails::Signal;

guardrails::Policy one_of_each() {
  guardrails::Policy policy;
  std::vector<GuardrailSpec>& out = policy.guardrails = guardrails::default_guardrails();
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
  slow.restarts.every = 77;
  out.push_back(slow);
  GuardrailSpec ratio;
  ratio.name = "tokens";
  ratio.signal.kind = Signal::Kind::kResponseValue;
  ratio.signal.json_pointer = "/tokens";
  ratio.signal.per.header = "X-Answers";
  ratio.signal.segment.json_pointer = "/site";
  ratio.signal.where = Predicate{Predicate::Op::kIs, 3};
  ratio.objective.kind = Objective::Kind::kRelativeToStable;
  ratio.objective.tolerance = 1.1;
  ratio.objective.better = guardrails::Better::kLower;
  out.push_back(ratio);
  GuardrailSpec value;
  value.name = "score";
  value.signal.kind = Signal::Kind::kResponseValue;
  value.signal.json_pointer = "/score";
  value.test = guardrails::TestKind::kValueVsStable;
  value.objective.margin = 0.01;
  value.objective.sigma = 2.5;
  out.push_back(value);
  GuardrailSpec explained = value;
  explained.name = "basket";
  explained.objective.sigma = 0;
  explained.covariate.json_pointer = "/price";
  explained.signal.segment.header = "X-Site";
  explained.signal.where = Predicate::is("berlin");
  out.push_back(explained);
  policy.family = {guardrails::Family::Control::kEBh, 0.03};
  return policy;
}

TEST(PolicyJson, ReadsBackWhatItWroteToTheLastBit) {
  const guardrails::Policy policy = one_of_each();
  const auto back = policy_from_json(to_json(policy));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->guardrails.size(), policy.guardrails.size());
  for (std::size_t i = 0; i < policy.guardrails.size(); ++i)
    EXPECT_EQ(back->guardrails[i], policy.guardrails[i]) << policy.guardrails[i].name;
  EXPECT_EQ(back->family, policy.family);
}

TEST(PolicyJson, EveryControlOfAFamilyIsReadBack) {
  using Control = guardrails::Family::Control;
  for (const Control control : {Control::kEach, Control::kBonferroni, Control::kEBh}) {
    guardrails::Policy policy{guardrails::default_guardrails(), {control, 0.01}};
    EXPECT_EQ(policy_from_json(to_json(policy)).value(), policy);
  }
}

TEST(PolicyYaml, TakesPercentWhereverItTakesAShare) {
  const auto policy = policy_from_yaml("p", R"(
family: {control: e_bh, alpha: 2%}
guardrails:
  - {name: errors, signal: {kind: error}, objective: {at_most: 2.5%}, alpha: 1%}
  - {name: slow, signal: {kind: latency}, objective: {at_most: 200ms, quantile: 95%}}
)");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_DOUBLE_EQ(policy->family.alpha, 0.02);
  EXPECT_DOUBLE_EQ(policy->guardrails.at(0).alpha, 0.01);
  EXPECT_DOUBLE_EQ(policy->guardrails.at(0).objective.bound, 0.025);
  EXPECT_DOUBLE_EQ(policy->guardrails.at(1).objective.quantile, 0.95);
  const auto wrong = policy_from_yaml(
      "p", "guardrails: [{name: errors, signal: {kind: error}, objective: {at_most: 2%}, alpha: 1%%}]");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("alpha"), std::string::npos) << wrong.error().message;
  EXPECT_NE(wrong.error().hint.find("95%"), std::string::npos) << wrong.error().hint;
}

}  // namespace
}  // namespace backstay::wire
