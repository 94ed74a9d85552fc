#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "monitor/watch_test_outcomes.hpp"
#include "monitor/watched_endpoint.hpp"

namespace backstay::monitor {
namespace {

// What the watch makes of each kind of signal.

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

}  // namespace
}  // namespace backstay::monitor
