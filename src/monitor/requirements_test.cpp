#include "monitor/requirements.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "monitor/watch_test_outcomes.hpp"
#include "monitor/watched_endpoint.hpp"

namespace backstay::monitor {
namespace {

rollout::Plan requiring(const rollout::Requirement& requirement) {
  rollout::Plan plan = rollout::default_plan();
  plan.steps[1].proof.require = {requirement};
  return plan;
}

TEST(Requirements, AreShownByTheOutcomesOfTheirGuardrail) {
  const std::vector<guardrails::GuardrailSpec> specs = guardrails::default_guardrails();
  rollout::Requirement required;
  required.guardrail = "errors";
  required.tolerance = 1.5;
  auto resolved = resolve(requiring(required), specs);
  ASSERT_TRUE(resolved) << resolved.error().message;
  GuardrailWatch watch(specs, std::vector<ValueSlots>(specs.size()));
  watch.require(*std::move(resolved));
  EXPECT_TRUE(watch.shown(1).empty()) << "It begins with a reset.";
  watch.reset();
  EXPECT_TRUE(watch.shown(0).empty());
  ASSERT_EQ(watch.shown(1).size(), 1U);
  EXPECT_FALSE(watch.shown(1)[0].holds());
  // Half of the traffic each, stable fails all the time and the candidate never does.
  for (int i = 0; i < 200; ++i) {
    traffic::Outcome outcome;
    outcome.status = i % 2 == 0 ? 200 : 500;
    watch.observe(outcome, i % 2 == 0, 0.5, [](const guardrails::Evidence&) { FAIL(); });
  }
  EXPECT_TRUE(watch.shown(1)[0].holds());
  watch.reset();
  EXPECT_FALSE(watch.shown(1)[0].holds());
}

TEST(Requirements, OfTimesCountWhatNeverGotItsAnswer) {
  std::vector<guardrails::GuardrailSpec> specs = guardrails::default_guardrails();
  specs[1].objective = {};
  specs[1].objective.kind = Objective::Kind::kAtMost;
  specs[1].objective.bound = 0.25;
  specs[1].objective.quantile = 0.95;
  rollout::Requirement required;
  required.claim = rollout::Requirement::Claim::kMeets;
  required.guardrail = "latency";
  for (const Ending ending : {Ending::kTimedOut, Ending::kBroken, Ending::kAnswered}) {
    GuardrailWatch watch(specs, std::vector<ValueSlots>(specs.size()));
    watch.require(resolve(requiring(required), specs).value());
    watch.reset();
    // One in ten hangs; the others are fast.
    for (int i = 0; i < 2'000; ++i) {
      Outcome outcome = answered();
      if (i % 10 == 0) outcome.ending = ending;
      watch.observe(outcome, true, 0.5, [](const guardrails::Evidence&) {});
    }
    EXPECT_EQ(watch.shown(1)[0].holds(), ending == Ending::kAnswered);
    EXPECT_EQ(watch.evidence()[1].candidate_bad, 0U) << "The guardrail on errors has them.";
  }
}

TEST(Requirements, WaitForAsManyOutcomesAsTheGuardrailDoes) {
  std::vector<guardrails::GuardrailSpec> specs = guardrails::default_guardrails();
  specs[0].min_samples = 150;
  rollout::Requirement required;
  required.claim = rollout::Requirement::Claim::kMeets;
  required.guardrail = "errors";
  required.at_most = 0.5;
  GuardrailWatch watch(specs, std::vector<ValueSlots>(specs.size()));
  watch.require(resolve(requiring(required), specs).value());
  watch.reset();
  const auto see = [&](int times) {
    for (int i = 0; i < times; ++i) watch.observe(answered(), true, 0.5, [](const guardrails::Evidence&) {});
  };
  see(100);
  EXPECT_GE(watch.shown(1)[0].log_e, watch.shown(1)[0].log_limit);
  EXPECT_FALSE(watch.shown(1)[0].holds());
  see(50);
  EXPECT_TRUE(watch.shown(1)[0].holds());
}

TEST(Requirements, OfAShadowStepAreOfWhatCopiesCanTell) {
  const std::vector<guardrails::GuardrailSpec> specs = guardrails::default_guardrails();
  rollout::Requirement required;
  required.guardrail = "latency";
  rollout::Plan plan;
  plan.steps = {{rollout::Step::Kind::kShadow, traffic::kWhole}};
  plan.steps[0].proof.require = {required};
  EXPECT_NE(resolve(plan, specs).error().message.find("tell nothing of it"), std::string::npos);
  plan.steps[0].kind = rollout::Step::Kind::kCanary;
  EXPECT_TRUE(resolve(plan, specs));
  plan.steps[0].kind = rollout::Step::Kind::kShadow;
  plan.steps[0].proof.require[0].guardrail = "errors";
  plan.steps[0].proof.require[0].tolerance = 1.5;
  EXPECT_TRUE(resolve(plan, specs));
}

TEST(Requirements, OfAShadowStepLookAtPairsOnly) {
  traffic::Split split;
  split.arms = {{"1.0.0", traffic::Role::kStable, traffic::kWhole}};
  split.shadow = "2.0.0";
  split.shadow_ppm = 200'000;
  Outcome outcome = answered();
  EXPECT_EQ(candidate_chance(split, outcome), 0) << "No copy of it was sent.";
  outcome.candidate_ppm = traffic::kWhole / 2;
  EXPECT_EQ(candidate_chance(split, outcome), 0.5);
  outcome.role = traffic::Role::kShadow;
  EXPECT_EQ(candidate_chance(split, outcome), 0.5);
  split.shadow.clear();
  EXPECT_EQ(candidate_chance(split, outcome), 0) << "It comes when the canary has begun.";
}

TEST(Requirements, SayWhyTheyAreRefused) {
  const std::vector<guardrails::GuardrailSpec> specs = guardrails::default_guardrails();
  rollout::Requirement required;
  required.guardrail = "accuracy";
  EXPECT_NE(resolve(requiring(required), specs).error().hint.find("errors, latency"), std::string::npos);
  required.guardrail = "errors";
  EXPECT_NE(resolve(requiring(required), specs).error().message.find("no tolerance"), std::string::npos);
  required.claim = rollout::Requirement::Claim::kSuperior;
  EXPECT_TRUE(resolve(requiring(required), specs));
  required.claim = rollout::Requirement::Claim::kMeets;
  EXPECT_NE(resolve(requiring(required), specs).error().message.find("no objective of its own"), std::string::npos);
  required.at_most = 0.01;
  EXPECT_TRUE(resolve(requiring(required), specs));
}

}  // namespace
}  // namespace backstay::monitor
