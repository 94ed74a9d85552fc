#include "monitor/little_traffic.hpp"

#include <gtest/gtest.h>

namespace backstay::monitor {
namespace {

using guardrails::GuardrailSpec;

GuardrailSpec errors() {
  return guardrails::default_guardrails()[0];
}

TEST(LittleTraffic, IsToldOfAGuardrailThatTheTrafficNeverReaches) {
  GuardrailSpec slow = errors();
  slow.name = "slow";
  slow.min_samples = 5'000;
  const rollout::Plan plan = rollout::default_plan();
  EXPECT_TRUE(little_traffic({errors(), slow}, plan, 100).empty());
  const auto told = little_traffic({errors(), slow}, plan, 0.5);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("'slow' will hardly decide anything: it needs at least 5000"), std::string::npos) << told[0];
  rollout::Plan hasty = plan;
  for (rollout::Step& step : hasty.steps) step.min_samples = 0;  // Else a step lasts until it has them.
  EXPECT_EQ(little_traffic({errors()}, hasty, 1e-4).size(), 1U) << "not even if all were bad";
}

TEST(LittleTraffic, AWindowEndsWhatAGuardrailSees) {
  GuardrailSpec first = errors();
  first.min_samples = 2'000;
  const rollout::Plan plan = rollout::default_plan();
  EXPECT_TRUE(little_traffic({first}, plan, 10).empty());
  first.window = milliseconds(seconds(60));
  const auto told = little_traffic({first}, plan, 10);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("about 30 within its window"), std::string::npos) << told[0];
}

TEST(LittleTraffic, OfTrafficThatNobodyKnowsItSaysSo) {
  const auto told = little_traffic({errors()}, rollout::default_plan(), 0);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("is not known"), std::string::npos) << told[0];
}

TEST(LittleTraffic, AWatchWithoutAHoldbackHasNothingToCompareWith) {
  rollout::Plan plan = rollout::blue_green_plan();
  plan.watch = seconds(60);
  plan.holdback_ppm = 0;
  GuardrailSpec own = errors();
  own.objective = {guardrails::Objective::Kind::kAtMost, 0.05};
  EXPECT_TRUE(little_traffic({own}, plan, 10).empty());
  const auto told = little_traffic({errors(), own}, plan, 10);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("'errors' can compare nothing"), std::string::npos) << told[0];
  plan.holdback_ppm = 50'000;
  EXPECT_TRUE(little_traffic({errors()}, plan, 10).empty());
}

}  // namespace
}  // namespace backstay::monitor
