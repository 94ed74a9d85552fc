#include "monitor/guardrail_watch.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "domain/traffic/text_value.hpp"
#include "domain/traffic/unknown_value.hpp"
#include "monitor/watch_test_outcomes.hpp"
#include "monitor/watched_endpoint.hpp"

namespace backstay::monitor {
namespace {

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
  EXPECT_EQ(plan.slots, (std::vector<ValueSlots>{{0}, {1}, {0}, {}}));
  EXPECT_EQ(plan.sources.size(), 2u);
}

TEST_F(GuardrailWatchTest, TakesCovariatesFromTheRequestAndReportsWhatTheyExplain) {
  GuardrailSpec spec;
  spec.name = "basket";
  spec.signal.kind = Signal::Kind::kResponseValue;
  spec.signal.json_pointer = "/price";
  spec.test = guardrails::TestKind::kValueVsStable;
  spec.covariate.json_pointer = "/price";  // The same place, of the request.
  const ValuePlan plan = plan_values({spec}).value();
  ASSERT_EQ(plan.sources.size(), 2u);
  EXPECT_EQ(plan.sources[1].of, gateway::ValueSource::Of::kRequest);
  GuardrailWatch both({spec}, plan.slots);
  for (int i = 0; i < 400; ++i) {
    Outcome outcome = answered();
    const auto price = static_cast<float>(i * 37 % 101);
    outcome.values[0] = 2 * price;
    outcome.values[1] = i % 40 == 0 ? traffic::kNoValue : price;
    both.observe(outcome, i % 4 == 0, 0.25, [](const guardrails::Evidence&) {});
  }
  const guardrails::Evidence evidence = both.evidence()[0];
  ASSERT_TRUE(evidence.covariate);
  EXPECT_NEAR(evidence.covariate->explained, 1, 1e-9);
  EXPECT_EQ(evidence.covariate->missing, 10u);
  EXPECT_NE(evidence.sentence.find("the covariate explains 100%"), std::string::npos) << evidence.sentence;
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

TEST_F(GuardrailWatchTest, AnAnswerThatCantBeReadIsNoEvidence) {
  GuardrailWatch watch = watch_of({safety(), sensitivity()});
  Outcome unread = answered();
  unread.values[0] = traffic::kUnread;
  see(watch, unread, 20);
  EXPECT_FALSE(watch.was_right(1, unread, 1));
  EXPECT_TRUE(breached.empty());
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0u);
  EXPECT_EQ(watch.evidence()[0].missing, 0u);
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
  for (int i = 0; i < 100; ++i)
    watch.observe_feedback(FeedbackKind::kLabel, answered(0.9F), true, 0.05, 0, Monotonic(), note);
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0u);
  for (int i = 0; i < 20; ++i)
    watch.observe_feedback(FeedbackKind::kLabel, answered(0.1F), true, 0.05, 1, Monotonic(), note);
  EXPECT_EQ(breached, std::vector<std::string>{"sensitivity"});
}

TEST_F(GuardrailWatchTest, ASegmentIsJudgedOnItsOwn) {
  GuardrailSpec children = safety();
  children.name = "children";
  children.signal.segment.json_pointer = "/group";
  children.signal.where = guardrails::Predicate{guardrails::Predicate::Op::kIs, 2};
  GuardrailWatch watch = watch_of({safety(), children});
  Outcome outcome = answered(1);
  for (int i = 0; i < 600; ++i) {
    outcome.values[1] = i % 20 == 0 ? 2 : 1;
    outcome.values[0] = i % 40 == 0 ? 0 : 1;  // Half of the children's answers, one in forty of all.
    see(watch, outcome);
  }
  EXPECT_EQ(breached, std::vector<std::string>{"children"});
  see(watch, answered(0));  // In no segment.
  EXPECT_LE(watch.evidence()[1].candidate_n, 30u);
}

TEST_F(GuardrailWatchTest, SegmentsAndAnswersMayBeTexts) {
  GuardrailSpec berlin = safety();
  berlin.name = "berlin";
  berlin.signal.segment.header = "X-Site";
  berlin.signal.where = guardrails::Predicate::is("berlin");
  berlin.signal.ok_when = guardrails::Predicate::is("safe");
  GuardrailWatch watch = watch_of({berlin, safety()});
  Outcome outcome = answered(traffic::text_number("unsafe"));
  outcome.values[1] = traffic::text_number("köln");
  see(watch, outcome, 100);
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0U);
  EXPECT_EQ(breached, std::vector<std::string>{"safety"}) << "A text is at least nothing.";
  outcome.values[1] = traffic::text_number("berlin");
  see(watch, outcome, 100);
  EXPECT_EQ(breached.back(), "berlin");
}

TEST_F(GuardrailWatchTest, LabelsMayBeClassesByTheirNames) {
  GuardrailSpec right = sensitivity();
  right.signal.among = Signal::Among::kAll;
  right.signal.positive_at = Signal().positive_at;
  right.signal.right_when = Signal::RightWhen::kSame;
  right.signal.ok_when.reset();
  ASSERT_TRUE(validate(right)) << validate(right).error().message;
  GuardrailWatch watch = watch_of({right});
  const float cat = traffic::text_number("cat");
  for (int i = 0; i < 100; ++i)
    watch.observe_feedback(FeedbackKind::kLabel, answered(cat), true, 0.05, cat, Monotonic(), note);
  EXPECT_EQ(watch.evidence()[0].candidate_bad, 0U);
  for (int i = 0; i < 50; ++i)
    watch.observe_feedback(FeedbackKind::kLabel, answered(cat), true, 0.05, traffic::text_number("dog"), Monotonic(),
                           note);
  EXPECT_EQ(breached.size(), 1U);
}

TEST_F(GuardrailWatchTest, FailuresOfASegmentAreSeenByWhatTheRequestSays) {
  GuardrailSpec spec;
  spec.name = "errors of group 2";
  spec.signal.segment.json_pointer = "/group";
  spec.signal.where = guardrails::Predicate{guardrails::Predicate::Op::kIs, 2};
  spec.objective = {guardrails::Objective::Kind::kAtMost, 0.05};
  EXPECT_FALSE(validate(spec)) << "What failed has no echo.";
  spec.signal.segment_of_request = true;
  ASSERT_TRUE(validate(spec));
  EXPECT_EQ(plan_values({spec})->sources[0].of, gateway::ValueSource::Of::kRequest);
  GuardrailWatch watch = watch_of({spec});
  Outcome failed = answered(1);
  failed.status = 500;
  see(watch, failed, 100);
  EXPECT_TRUE(breached.empty());
  failed.values[0] = 2;
  see(watch, failed, 10);
  EXPECT_EQ(breached.size(), 1U);
}

TEST_F(GuardrailWatchTest, AnAnswerAtItsLimitIsGood) {
  // Values are floats, and no float is 0.95.
  GuardrailSpec spec = safety();
  spec.signal.ok_when = guardrails::Predicate{guardrails::Predicate::Op::kAtLeast, 0.95};
  GuardrailWatch watch = watch_of({spec});
  see(watch, answered(0.95F), 100);
  EXPECT_EQ(watch.evidence()[0].candidate_bad, 0U);
  see(watch, answered(0.9499F), 1);
  EXPECT_EQ(watch.evidence()[0].candidate_bad, 1U);
}

TEST_F(GuardrailWatchTest, WhatFlaggedOrPausedLooksAnewWhenItIsArmedAgainAndWhatTakesBackDoesNot) {
  GuardrailSpec pauses = safety();
  pauses.action = guardrails::Action::kPause;
  GuardrailSpec takes_back = safety();
  takes_back.name = "other";
  GuardrailWatch watch = watch_of({pauses, takes_back});
  see(watch, answered(0), 200);
  ASSERT_EQ(breached.size(), 2U);
  watch.rearm();
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0U);
  EXPECT_TRUE(watch.evidence()[1].breached);
  see(watch, answered(0), 200);
  EXPECT_EQ(breached.size(), 3U);
}

TEST_F(GuardrailWatchTest, MirroredRequestsAreJudgedInPairs) {
  GuardrailSpec paired = safety();
  paired.objective = {};
  paired.test = guardrails::TestKind::kPairedRate;
  ASSERT_TRUE(validate(paired));
  GuardrailWatch watch = watch_of({paired});
  std::uint64_t id = 0;
  // `first`: which version's answer is seen first.
  const auto pair = [&](float candidate, float stable, bool first) {
    Outcome own = answered(candidate);
    own.role = traffic::Role::kShadow;
    Outcome other = answered(stable);
    own.prediction = other.prediction = {1, ++id};
    if (first) watch.observe(own, true, 0.5, note);
    watch.observe(other, false, 0.5, note);
    if (!first) watch.observe(own, true, 0.5, note);
  };
  for (int i = 0; i < 200; ++i) pair(0, 0, i % 2 == 0);  // Both are unsafe: the request is to blame.
  EXPECT_NEAR(watch.evidence()[0].log_e, 0.0, 1e-12);
  EXPECT_EQ(watch.evidence()[0].candidate_n, 200u);
  for (int i = 0; i < 12; ++i) pair(0, 1, i % 2 == 0);
  EXPECT_EQ(breached, std::vector<std::string>{"safety"});
}

TEST_F(GuardrailWatchTest, AnswersWithoutPartnersAreNoPairs) {
  GuardrailSpec paired = safety();
  paired.objective = {};
  paired.test = guardrails::TestKind::kPairedRate;
  GuardrailWatch watch = watch_of({paired});
  for (std::uint64_t id = 1; id < 10'000; ++id) {
    Outcome lonely = answered(0);
    lonely.role = id % 2 == 0 ? traffic::Role::kShadow : traffic::Role::kStable;
    lonely.prediction = {1, id};
    watch.observe(lonely, id % 2 == 0, 0.5, note);
  }
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0u);
}

TEST_F(GuardrailWatchTest, SeveralThatAreSomewhatBadAreEnoughTogether) {
  std::vector<GuardrailSpec> segments;
  for (int group = 0; group < 4; ++group) {
    segments.push_back(safety());
    segments.back().name = "group " + std::to_string(group);
    segments.back().signal.segment.json_pointer = "/group";
    segments.back().signal.where = guardrails::Predicate{guardrails::Predicate::Op::kIs, static_cast<double>(group)};
  }
  // Unsafe answers of every group in turn, until something breaches.
  const auto needed = [&](guardrails::Family::Control control) {
    GuardrailWatch watch(segments, plan_values(segments).value().slots, {control, 0.01});
    breached.clear();
    int n = 0;
    for (; breached.empty(); ++n) {
      Outcome outcome = answered(n % 12 < 8 ? 1 : 0);
      outcome.values[1] = static_cast<float>(n % 4);
      see(watch, outcome);
    }
    return n;
  };
  const int bonferroni = needed(guardrails::Family::Control::kBonferroni);
  EXPECT_EQ(breached.size(), 1u);
  const int e_bh = needed(guardrails::Family::Control::kEBh);
  EXPECT_GE(breached.size(), 2u);
  EXPECT_LT(e_bh, bonferroni);
  // What e-BH asked of each is not what it promises: one release in 100 for all of them.
  GuardrailWatch watch(segments, plan_values(segments).value().slots, {guardrails::Family::Control::kEBh, 0.01});
  EXPECT_NEAR(watch.evidence()[0].log_limit, std::log(400.0), 1e-12);
  EXPECT_NEAR(watch.evidence()[0].log_promise, std::log(100.0), 1e-12);
}

TEST_F(GuardrailWatchTest, WhatOnlyFlagsIsNotTakenBackByTheOthers) {
  std::vector<GuardrailSpec> both{safety(), safety()};
  both[1].name = "flagged";
  both[1].action = guardrails::Action::kFlag;
  GuardrailWatch watch(both, plan_values(both).value().slots, {guardrails::Family::Control::kEBh, 0.01});
  for (int i = 0; breached.empty(); ++i) see(watch, answered(i % 6 == 0 ? 0 : 1));
  EXPECT_EQ(breached, std::vector<std::string>{"safety"});
  EXPECT_LT(watch.evidence()[0].log_limit, std::log(200.0));
  EXPECT_NEAR(watch.evidence()[1].log_promise, std::log(200.0), 1e-12) << "A flag is left to its own share.";
}

TEST_F(GuardrailWatchTest, StartsAnewAfterAReset) {
  GuardrailWatch watch = watch_of({safety()});
  see(watch, answered(0), 2);
  watch.reset();
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0u);
  EXPECT_NEAR(watch.evidence()[0].log_e, 0.0, 1e-12);
}

}  // namespace
}  // namespace backstay::monitor
