#include "monitor/guardrail_watch.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "monitor/watched_endpoint.hpp"

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

GuardrailSpec conversions(milliseconds within) {
  GuardrailSpec spec;
  spec.name = "conversions";
  spec.signal.kind = Signal::Kind::kConversion;
  spec.signal.within = within;
  return spec;
}

/// Answers of both versions, half of the traffic each; `converts(candidate, n)` says which are followed by a conversion
/// a second later.
template <class Converts>
std::vector<guardrails::Evidence> after_conversions(const GuardrailSpec& spec, int answers, Converts converts,
                                                    int ends_at) {
  GuardrailWatch watch({spec}, plan_values({spec}).value().slots);
  const auto ignore = [](const guardrails::Evidence&) {};
  for (int n = 0; n < answers; ++n) {
    Outcome outcome = answered();
    outcome.prediction = {7, static_cast<std::uint64_t>(n)};
    outcome.at = Monotonic(seconds(n));
    watch.observe(outcome, n % 2 == 0, 0.5, ignore);
    if (converts(n % 2 == 0, n))
      watch.observe_feedback(FeedbackKind::kConversion, outcome, n % 2 == 0, 0.5, 1, outcome.at + seconds(1), ignore);
  }
  Outcome last = answered();
  last.at = Monotonic(seconds(ends_at));
  last.prediction = {8, 0};
  watch.observe(last, true, 0.5, ignore);
  return watch.evidence();
}

TEST(Conversions, FewerThanStableHasAreFoundByTheHits) {
  // One in five of stable's answers, none of the candidate's: no window has closed yet.
  const auto only_stable = [](bool candidate, int n) { return !candidate && n % 10 == 1; };
  const auto evidence = after_conversions(conversions(std::chrono::hours(10)), 200, only_stable, 200).at(0);
  EXPECT_TRUE(evidence.breached);
  EXPECT_NE(evidence.sentence.find("were followed by a conversion against"), std::string::npos) << evidence.sentence;
  const auto alike = [](bool, int n) { return n % 10 < 2; };
  EXPECT_FALSE(after_conversions(conversions(std::chrono::hours(10)), 2'000, alike, 2'000).at(0).breached);
}

TEST(Conversions, ThatThereWasNoneCountsWhenTheWindowIsOver) {
  const auto never = [](bool, int) { return false; };
  auto evidence = after_conversions(conversions(seconds(1'000)), 100, never, 100).at(0);
  EXPECT_EQ(evidence.candidate_n + evidence.stable_n, 0U);
  evidence = after_conversions(conversions(seconds(1'000)), 100, never, 1'050).at(0);
  EXPECT_EQ(evidence.candidate_n, 25U);
  EXPECT_EQ(evidence.candidate_bad, 25U);
}

TEST(Conversions, OfWhatNoClientSawAreNone) {
  const GuardrailSpec spec = conversions(seconds(10));
  GuardrailWatch watch({spec}, plan_values({spec}).value().slots);
  const auto ignore = [](const guardrails::Evidence&) {};
  for (const auto& change : std::vector<std::function<void(Outcome&)>>{
           [](Outcome& o) { o.replayed = true; }, [](Outcome& o) { o.status = 404; },
           [](Outcome& o) { o.role = traffic::Role::kShadow; }, [](Outcome& o) { o.fallback = true; },
           [](Outcome& o) { o.ending = Ending::kClientAbandoned; }}) {
    Outcome outcome = answered();
    change(outcome);
    watch.observe(outcome, true, 0.5, ignore);
  }
  Outcome later = answered();
  later.at = Monotonic(seconds(60));
  watch.observe(later, true, 0.5, ignore);
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0U);
}

TEST(Reports, OfTheCandidateAloneTakeItBack) {
  GuardrailSpec spec = conversions(std::chrono::hours(1));
  spec.signal.kind = Signal::Kind::kReport;
  GuardrailWatch watch({spec}, plan_values({spec}).value().slots);
  bool breached = false;
  for (std::uint64_t n = 0; n < 60 && !breached; ++n) {
    Outcome outcome = answered();
    outcome.prediction = {7, n};
    const auto note = [&](const guardrails::Evidence&) { breached = true; };
    watch.observe(outcome, n % 2 == 0, 0.5, note);
    if (n % 2 == 0) watch.observe_feedback(FeedbackKind::kReport, outcome, true, 0.5, 1, outcome.at, note);
  }
  EXPECT_TRUE(breached);
}

TEST(Verdicts, ReachTheGuardrailOfTheirExaminerAndMissingOnesNobody) {
  GuardrailSpec schema;
  schema.name = "schema";
  schema.signal.kind = Signal::Kind::kSchema;
  GuardrailSpec toxic = schema;
  toxic.name = "toxic";
  toxic.signal.kind = Signal::Kind::kClassifier;
  toxic.signal.classifier = "toxicity";
  toxic.signal.ok_when = guardrails::Predicate{guardrails::Predicate::Op::kBelow, 0.5};
  const ValuePlan plan = plan_values({schema, toxic}).value();
  EXPECT_EQ(plan.examiners, (std::vector<std::string>{"", "toxicity"}));
  GuardrailWatch watch({schema, toxic}, plan.slots);
  const auto ignore = [](const guardrails::Evidence&) {};
  for (const double verdict : {0.9, 0.2, std::nan("")})
    watch.observe_verdict(1, answered(), true, 0.5, verdict, Monotonic(), ignore);
  watch.observe_verdict(0, answered(), false, 0.5, 1, Monotonic(), ignore);
  EXPECT_EQ(watch.evidence()[1].candidate_n, 2U);
  EXPECT_EQ(watch.evidence()[1].candidate_bad, 1U);
  EXPECT_EQ(watch.evidence()[0].candidate_n, 0U);
  EXPECT_EQ(watch.evidence()[0].stable_bad, 1U);
}

TEST(FirstByte, IsJudgedLikeALatencyAndBytesByWhatIsGood) {
  GuardrailSpec first;
  first.name = "first token";
  first.signal.kind = Signal::Kind::kFirstByte;
  first.objective = {Objective::Kind::kAtMost, 0.2, 1.0, 0.9, 0};
  GuardrailSpec bytes;
  bytes.name = "length";
  bytes.signal.kind = Signal::Kind::kResponseBytes;
  bytes.signal.ok_when = guardrails::Predicate{guardrails::Predicate::Op::kAtMost, 1'000};
  bytes.objective = {Objective::Kind::kAtLeast, 0.9, 1.0, 0.99, 0};
  ASSERT_TRUE(guardrails::validate(first));
  ASSERT_TRUE(guardrails::validate(bytes));
  GuardrailWatch watch({first, bytes}, plan_values({first, bytes}).value().slots);
  const auto ignore = [](const guardrails::Evidence&) {};
  Outcome outcome = answered();
  for (const std::uint32_t us : {0U, 100'000U, 300'000U}) {
    outcome.first_byte_us = us;
    outcome.response_bytes = us / 100;
    watch.observe(outcome, true, 0.5, ignore);
  }
  EXPECT_EQ(watch.evidence()[0].candidate_n, 2U) << "An answer without a body has no first byte.";
  EXPECT_EQ(watch.evidence()[0].candidate_bad, 1U);
  EXPECT_EQ(watch.evidence()[1].candidate_n, 3U);
  EXPECT_EQ(watch.evidence()[1].candidate_bad, 1U);
}

TEST(Status, SaysWhichAnswersAreGoodAndLeavesFailuresToTheErrors) {
  GuardrailSpec refused = guardrails::default_guardrails()[2];
  ASSERT_TRUE(guardrails::validate(refused));
  GuardrailWatch watch({refused}, plan_values({refused}).value().slots);
  const auto ignore = [](const guardrails::Evidence&) {};
  Outcome outcome = answered();
  for (const int status : {200, 404, 422, 503}) {
    outcome.status = static_cast<std::uint16_t>(status);
    watch.observe(outcome, true, 0.5, ignore);
  }
  EXPECT_EQ(watch.evidence()[0].candidate_n, 3U);
  EXPECT_EQ(watch.evidence()[0].candidate_bad, 2U);
}

TEST(Status, ACandidateThatRefusesEverythingIsTakenBack) {
  const std::vector<GuardrailSpec> specs = guardrails::default_guardrails();
  GuardrailWatch watch(specs, plan_values(specs).value().slots);
  std::string breached;
  for (int i = 0; i < 400 && breached.empty(); ++i) {
    Outcome outcome = answered();
    outcome.status = i % 2 == 0 ? 404 : 200;
    watch.observe(outcome, i % 2 == 0, 0.5, [&](const guardrails::Evidence& evidence) { breached = evidence.name; });
  }
  EXPECT_EQ(breached, "refused");
}

/// Both versions' answers to one mirrored request.
void mirror(GuardrailWatch& watch, std::uint64_t number, float stable, float candidate) {
  Outcome outcome = answered();
  outcome.prediction = {7, number};
  outcome.values[0] = stable;
  const auto ignore = [](const guardrails::Evidence&) {};
  watch.observe(outcome, false, 0.5, ignore);
  outcome.role = traffic::Role::kShadow;
  outcome.values[0] = candidate;
  watch.observe(outcome, true, 0.5, ignore);
}

TEST(Agreement, IsOfBothVersionsOnTheSameRequest) {
  GuardrailSpec same;
  same.name = "same";
  same.signal.kind = Signal::Kind::kAgreement;
  same.signal.json_pointer = "/score";
  same.signal.difference = 0.25;
  same.objective = {Objective::Kind::kAtLeast, 0.5};
  GuardrailSpec side = same;
  side.name = "side";
  side.signal.difference = 0;
  side.signal.ok_when = guardrails::Predicate{guardrails::Predicate::Op::kBelow, 0.5};
  for (const GuardrailSpec& spec : {same, side}) ASSERT_TRUE(guardrails::validate(spec));
  GuardrailWatch watch({same, side}, plan_values({same, side}).value().slots);
  mirror(watch, 1, 0.5F, 0.5F);
  mirror(watch, 2, 0.25F, 0.75F);  // As often below 0.5 as the next: only pairs tell.
  mirror(watch, 3, 0.75F, 0.25F);
  mirror(watch, 4, 0.375F, 0.5F);
  mirror(watch, 5, traffic::kNoValue, 0.5F);  // Nothing to agree with.
  mirror(watch, 6, 0.5F, traffic::kNoValue);
  const auto evidence = watch.evidence();
  EXPECT_EQ(evidence[0].candidate_n, 5U);
  EXPECT_EQ(evidence[0].candidate_bad, 3U);
  EXPECT_EQ(evidence[1].candidate_bad, 4U);
  EXPECT_NE(evidence[1].sentence.find("on 4 of 5 requests the versions disagreed"), std::string::npos);
}

TEST(Agreement, OfACandidateThatSaysTheOppositeIsNone) {
  GuardrailSpec side;
  side.name = "side";
  side.signal.kind = Signal::Kind::kAgreement;
  side.signal.json_pointer = "/score";
  side.signal.ok_when = guardrails::Predicate{guardrails::Predicate::Op::kBelow, 0.5};
  side.objective = {Objective::Kind::kAtLeast, 0.9};
  GuardrailWatch watch({side}, plan_values({side}).value().slots);
  for (std::uint64_t i = 0; i < 50; ++i) mirror(watch, i, i % 2 == 0 ? 0.25F : 0.75F, i % 2 == 0 ? 0.75F : 0.25F);
  EXPECT_TRUE(watch.evidence()[0].breached);
}

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
