#include "wire/policy_templates.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "wire/policy_json.hpp"
#include "wire/rollout_json.hpp"

namespace backstay::wire {
namespace {

TEST(PolicyTemplates, AreValidAndCommented) {
  std::set<std::string_view> names;
  for (const PolicyTemplate& item : policy_templates()) {
    const auto policy = policy_from_yaml(std::string(item.name), std::string(item.text));
    ASSERT_TRUE(policy) << policy.error().message << "\n" << policy.error().hint;
    EXPECT_GE(policy->guardrails.size(), 4u) << item.name;
    EXPECT_NE(policy->family.control, guardrails::Family::Control::kEach) << item.name;
    EXPECT_EQ(item.text.front(), '#') << item.name;
    names.insert(item.name);
  }
  EXPECT_EQ(names, (std::set<std::string_view>{"classification", "regression", "ranking", "llm", "imaging"}));
}

TEST(PolicyTemplates, ImagingWatchesBothKindsOfMistakeInEachGroup) {
  const auto policy = policy_from_yaml("imaging", std::string(policy_templates().back().text)).value();
  std::set<std::pair<guardrails::Signal::Among, double>> seen;
  for (const guardrails::GuardrailSpec& spec : policy.guardrails)
    if (spec.signal.where) seen.insert({spec.signal.among, spec.signal.where->value});
  EXPECT_EQ(seen.size(), 4u);
}

TEST(Policy, WithoutGuardrailsHasTheUsualOnes) {
  const auto policy = policy_from_yaml("p", "family: {control: bonferroni, alpha: 0.05}").value();
  EXPECT_EQ(policy.guardrails, guardrails::default_guardrails());
  EXPECT_DOUBLE_EQ(policy.family.alpha, 0.05);
}

TEST(Policy, AnEmptyListOfGuardrailsIsRefusedButInARecording) {
  const auto refused = policy_from_yaml("p", "guardrails: []");
  ASSERT_FALSE(refused);
  EXPECT_NE((refused.error().message + refused.error().hint).find("Leave it out for the usual ones"), std::string::npos)
      << refused.error().message;
  EXPECT_TRUE(policy_from_json(to_json(guardrails::Policy{})).value().guardrails.empty());
}

TEST(Policy, RefusesUnknownKeysAndDoubleNames) {
  EXPECT_NE(policy_from_yaml("p", "gardrails: []").error().message.find("gardrails"), std::string::npos);
  const auto twice =
      policy_from_yaml("p",
                       "guardrails: [{name: a, signal: {kind: error}, objective: {at_most: 0.1}}, {name: "
                       "a, signal: {kind: error}, objective: {at_most: 0.2}}]");
  EXPECT_NE(twice.error().message.find("second time"), std::string::npos) << twice.error().message;
}

}  // namespace
}  // namespace backstay::wire
