#include "monitor/guardrail_watch.hpp"

#include <gtest/gtest.h>

namespace backstay::monitor {
namespace {

using guardrails::GuardrailSpec;
using guardrails::Objective;
using guardrails::Signal;
using traffic::Ending;
using traffic::Outcome;

GuardrailSpec safety() {
  GuardrailSpec spec;
  spec.name = "safety";
  spec.signal.kind = Signal::Kind::kResponseValue;
  spec.signal.json_pointer = "/safe";
  spec.signal.ok_when = guardrails::Predicate{guardrails::Predicate::Op::kAtLeast, 0.5};
  spec.objective = {Objective::Kind::kAtLeast, 0.95, 1.0, 0.99, 0};
  return spec;
}

GuardrailSpec sensitivity() {
  GuardrailSpec spec = safety();
  spec.name = "sensitivity";
  spec.signal.kind = Signal::Kind::kFeedback;
  spec.signal.among = Signal::Among::kPositives;
  return spec;
}

Outcome answered(float value = traffic::kNoValue) {
  Outcome out;
  out.status = 200;
  out.latency_us = 900;
  out.values[0] = value;
  return out;
}

class GuardrailWatchTest : public ::testing::Test {
 protected:
  static GuardrailWatch watch_of(const std::vector<GuardrailSpec>& specs) {
    return {specs, plan_values(specs).value().slots};
  }
  void see(GuardrailWatch& watch, const Outcome& outcome, int times = 1) {
    for (int i = 0; i < times; ++i) watch.observe(outcome, true, 0.05, note);
  }
  std::vector<std::string> breached;
  GuardrailWatch::OnBreach note = [this](const guardrails::Evidence& e) { breached.push_back(e.name); };
};

TEST_F(GuardrailWatchTest, GuardrailsOnTheSameValueShareASlot) {
  GuardrailSpec other = safety();
  other.signal.json_pointer = "/else";
  const ValuePlan plan = plan_values({safety(), other, sensitivity(), guardrails::default_guardrails()[0]}).value();
  EXPECT_EQ(plan.slots, (std::vector<int>{0, 1, 0, -1}));
  EXPECT_EQ(plan.sources.size(), 2u);
}

TEST_F(GuardrailWatchTest, RefusesMoreValuesThanAnOutcomeHolds) {
  std::vector<GuardrailSpec> specs;
  for (std::size_t i = 0; i <= traffic::kMaxValues; ++i) {
    specs.push_back(safety());
    specs.back().signal.json_pointer += std::to_string(i);
  }
  EXPECT_EQ(plan_values(specs).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(GuardrailWatchTest, UnsafeAnswersBreach) {
  GuardrailWatch watch = watch_of({safety()});
  see(watch, answered(1), 30);
  EXPECT_TRUE(breached.empty());
  see(watch, answered(0), 20);
  EXPECT_EQ(breached, std::vector<std::string>{"safety"});
}

TEST_F(GuardrailWatchTest, AnAnswerWithoutItsSafetyValueIsUnsafe) {
  GuardrailWatch watch = watch_of({safety()});
  see(watch, answered(), 20);
  EXPECT_EQ(breached.size(), 1u);
  EXPECT_GT(watch.evidence()[0].missing, 0u);
}

TEST_F(GuardrailWatchTest, WhatSaysNothingOfTheVersionIsNotCounted) {
  GuardrailWatch watch = watch_of({safety(), guardrails::default_guardrails()[0]});
  Outcome left = answered(0);
  left.ending = Ending::kClientAbandoned;
  Outcome replay = answered(0);
  replay.fallback = true;
  see(watch, left, 100);
  see(watch, replay, 100);
  EXPECT_TRUE(breached.empty());
  for (const guardrails::Evidence& evidence : watch.evidence()) EXPECT_EQ(evidence.candidate_n, 0u);
}

TEST_F(GuardrailWatchTest, TheClientsOwnMistakesAreNotUnsafeAnswers) {
  GuardrailWatch watch = watch_of({safety()});
  Outcome refused = answered();
  refused.status = 400;
  see(watch, refused, 100);
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0u);
}

TEST_F(GuardrailWatchTest, CopiesTellNothingOfLatencyAndStillOfErrors) {
  GuardrailWatch watch = watch_of(guardrails::default_guardrails());
  Outcome copy = answered();
  copy.role = traffic::Role::kShadow;
  see(watch, copy, 10);
  EXPECT_EQ(watch.evidence()[0].candidate_n, 10u);
  EXPECT_EQ(watch.evidence()[1].candidate_n, 0u);
}

TEST_F(GuardrailWatchTest, LabelsJudgeOnlyTheCasesTheyAreAbout) {
  GuardrailWatch watch = watch_of({sensitivity()});
  for (int i = 0; i < 100; ++i) watch.observe_label(answered(0.9F), true, 0.05, 0, Monotonic(), note);
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0u);
  for (int i = 0; i < 20; ++i) watch.observe_label(answered(0.1F), true, 0.05, 1, Monotonic(), note);
  EXPECT_EQ(breached, std::vector<std::string>{"sensitivity"});
}

TEST_F(GuardrailWatchTest, StartsAnewAfterAReset) {
  GuardrailWatch watch = watch_of({safety()});
  see(watch, answered(0), 2);
  watch.reset();
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0u);
  EXPECT_EQ(watch.evidence()[0].log_e, 0.0);
}

}  // namespace
}  // namespace backstay::monitor
