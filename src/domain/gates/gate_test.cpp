#include "domain/gates/gate.hpp"

#include <gtest/gtest.h>

#include "domain/gates/intervals.hpp"
#include "domain/registry/measurement.hpp"

namespace backstay::gates {
namespace {

using registry::Manifest;
using registry::Metric;
using registry::ScorecardKind;
using registry::StoredScorecard;

TEST(Intervals, GiveTheReferenceNumbers) {
  const Interval w = wilson(0.95, 100, 0.95);
  EXPECT_NEAR(w.lower, 0.88825, 5e-6);
  EXPECT_NEAR(w.upper, 0.97846, 5e-6);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(normal_quantile(0.001), -3.090232306167813, 1e-11);
  // Newcombe (1998), table II, example (a), method 10: 56/70 - 48/80.
  const Interval n = newcombe(56.0 / 70, 70, 48.0 / 80, 80, 0.95);
  EXPECT_NEAR(n.lower, 0.0524, 5e-5);
  EXPECT_NEAR(n.upper, 0.3339, 5e-5);
}

Manifest complete() {
  Manifest m;
  m.code.commit = "c0ffee";
  m.data = {{"cells", "training", "", {{"a", sha256("a"), 1, ""}}}};
  m.config = {{"lr", "0.1"}};
  m.changelog = "First.";
  return m;
}

StoredScorecard card(ScorecardKind kind, std::vector<Metric> metrics) {
  StoredScorecard stored;
  stored.scorecard.kind = kind;
  stored.scorecard.metrics = std::move(metrics);
  return stored;
}

Metric metric(const char* name, double value, std::uint64_t samples, const char* group = "") {
  return {name, group, value, samples, {}, {}};
}

Decision decide(Rule rule, const std::vector<StoredScorecard>& cards) {
  return evaluate({"g", 0.95, {std::move(rule)}}, complete(), cards).decision;
}

Decision against(Rule rule, const std::vector<StoredScorecard>& cards, const std::string& production) {
  return evaluate({"g", 0.95, {std::move(rule)}}, complete(), cards, nullptr, production).decision;
}

TEST(Gate, ASmallSampleCannotPass) {
  const Rule rule{Rule::Kind::kAtLeast, "accuracy", "", 0.9};
  EXPECT_EQ(decide(rule, {card(ScorecardKind::kQuality, {metric("accuracy", 0.95, 20)})}), Decision::kInsufficient);
  EXPECT_EQ(decide(rule, {card(ScorecardKind::kQuality, {metric("accuracy", 0.95, 500)})}), Decision::kPass);
  EXPECT_EQ(decide(rule, {card(ScorecardKind::kQuality, {metric("accuracy", 0.80, 500)})}), Decision::kFail);
  EXPECT_EQ(decide(rule, {}), Decision::kInsufficient);
}

TEST(Gate, TheNewestScorecardCounts) {
  const Rule rule{Rule::Kind::kAtLeast, "accuracy", "", 0.9};
  EXPECT_EQ(decide(rule, {card(ScorecardKind::kQuality, {metric("accuracy", 0.99, 500)}),
                          card(ScorecardKind::kQuality, {metric("accuracy", 0.5, 500)})}),
            Decision::kFail);
}

TEST(Gate, JudgesTheGapBetweenGroups) {
  const Rule rule{Rule::Kind::kMaxGap, "sensitivity", "", 0.1};
  const auto groups = [](double a, double b, std::uint64_t n) {
    return std::vector{
        card(ScorecardKind::kBias, {metric("sensitivity", a, n, "young"), metric("sensitivity", b, n, "old")})};
  };
  EXPECT_EQ(decide(rule, groups(0.95, 0.94, 2'000)), Decision::kPass);
  EXPECT_EQ(decide(rule, groups(0.95, 0.70, 500)), Decision::kFail);
  EXPECT_EQ(decide(rule, groups(0.95, 0.94, 20)), Decision::kInsufficient);
}

TEST(Gate, LatenciesAreComparedAsTheyAre) {
  const Rule rule{Rule::Kind::kAtMost, "latency_p95_seconds", "", 0.05};
  EXPECT_EQ(decide(rule, {card(ScorecardKind::kLatency, {metric("latency_p95_seconds", 0.04, 100)})}), Decision::kPass);
  EXPECT_EQ(decide(rule, {card(ScorecardKind::kLatency, {metric("latency_p95_seconds", 0.06, 100)})}), Decision::kFail);
  EXPECT_EQ(decide(rule, {card(ScorecardKind::kQuality, {metric("latency_p95_seconds", 0.04, 100)})}), Decision::kPass);
}

std::string explained(const Rule& rule, const std::vector<StoredScorecard>& cards) {
  return evaluate({"g", 0.95, {rule}}, complete(), cards).rows.at(1).explanation;
}

TEST(Gate, APercentageDoesNotPassAsAnEnormousRate) {
  const auto measured = [](const char* name, double value) {
    return std::vector{card(ScorecardKind::kQuality, {metric(name, value, 3)})};
  };
  for (const char* name : {"accuracy", "our_score"}) {
    const Rule rule{Rule::Kind::kAtLeast, name, "", 0.9};
    EXPECT_EQ(decide(rule, measured(name, 12)), Decision::kInsufficient) << name;
    EXPECT_NE(explained(rule, measured(name, 98.8)).find("98.8 looks like a percentage"), std::string::npos) << name;
    EXPECT_EQ(decide(rule, measured(name, 1'000)), Decision::kInsufficient) << name;
  }
  EXPECT_EQ(decide({Rule::Kind::kAtMost, "error_rate", "", 0.1}, measured("error_rate", -3)), Decision::kInsufficient);
  EXPECT_EQ(decide({Rule::Kind::kMaxGap, "accuracy", "", 0.5},
                   {card(ScorecardKind::kBias, {metric("accuracy", 98, 9, "a"), metric("accuracy", 97.9, 9, "b")})}),
            Decision::kInsufficient);
  EXPECT_FALSE(validate({"g", 0.95, {{Rule::Kind::kAtLeast, "accuracy", "", 90}}}));
  EXPECT_TRUE(validate({"g", 0.95, {{Rule::Kind::kMinSamples, "accuracy", "", 90}}}));
  EXPECT_TRUE(validate({"g", 0.95, {{Rule::Kind::kAtMost, "perplexity", "", 90}}}));
}

TEST(Gate, AMeanOfSamplesThatIsNoRateNeedsLimits) {
  const Rule rule{Rule::Kind::kAtMost, "perplexity", "", 15};
  Metric perplexity = metric("perplexity", 12, 500);
  EXPECT_EQ(decide(rule, {card(ScorecardKind::kQuality, {perplexity})}), Decision::kInsufficient);
  EXPECT_NE(explained(rule, {card(ScorecardKind::kQuality, {perplexity})}).find("lower and upper"), std::string::npos);
  EXPECT_EQ(decide(rule, {card(ScorecardKind::kQuality, {metric("perplexity", 16, 500)})}), Decision::kFail);
  perplexity.lower = 11;
  perplexity.upper = 13;
  EXPECT_EQ(decide(rule, {card(ScorecardKind::kQuality, {perplexity})}), Decision::kPass);
  // What was counted or weighed, not sampled.
  EXPECT_EQ(
      decide({Rule::Kind::kAtMost, "size_mb", "", 50}, {card(ScorecardKind::kQuality, {metric("size_mb", 40, 0)})}),
      Decision::kPass);
  // Two groups: the limits of the gap are those of both together, 1 -/+ sqrt(2).
  Metric other = perplexity;
  perplexity.group = "a";
  other = {"perplexity", "b", 13, 500, 12, 14};
  const std::vector cards{card(ScorecardKind::kBias, {perplexity, other})};
  EXPECT_EQ(decide({Rule::Kind::kMaxGap, "perplexity", "", 2.5}, cards), Decision::kPass);
  EXPECT_EQ(decide({Rule::Kind::kMaxGap, "perplexity", "", 2.4}, cards), Decision::kInsufficient);
}

TEST(Gate, AnErrorIsNoRateThoughItLiesBetween0And1) {
  const Rule rule{Rule::Kind::kAtMost, "mean_absolute_error", "", 0.2};
  const auto measured = [](std::uint64_t samples) {
    return std::vector{card(ScorecardKind::kQuality, {metric("mean_absolute_error", 0.01, samples)})};
  };
  EXPECT_EQ(decide(rule, measured(3)), Decision::kInsufficient);
  EXPECT_EQ(explained(rule, measured(3)),
            "3 samples are too few for limits of mean_absolute_error: measure it on 30 or more.");
  EXPECT_EQ(decide(rule, measured(5000)), Decision::kInsufficient);
  EXPECT_NE(explained(rule, measured(5000)).find("no confidence limits"), std::string::npos);
}

TEST(Gate, LimitsWithoutAnyWidthPassOnlyWhenSamplesAreMany) {
  const auto measured = [](const char* name, double value, std::uint64_t samples) {
    Metric one = metric(name, value, samples);
    one.lower = one.upper = value;
    return std::vector{card(ScorecardKind::kQuality, {one})};
  };
  const Rule most{Rule::Kind::kAtMost, "log_loss", "", 0.15};
  EXPECT_EQ(decide(most, measured("log_loss", 0.1, 2)), Decision::kInsufficient);
  EXPECT_EQ(explained(most, measured("log_loss", 0.1, 2)),
            "Limits without any width, of 2 samples: from fewer than 300 that were all alike nothing follows.");
  EXPECT_EQ(decide(most, measured("log_loss", 0.1, 300)), Decision::kPass);
  EXPECT_EQ(decide({Rule::Kind::kAtLeast, "average_precision", "", 0.99}, measured("average_precision", 1, 2)),
            Decision::kInsufficient);
  EXPECT_EQ(decide({Rule::Kind::kAtMost, "small_groups", "", 0}, measured("small_groups", 0, 200)), Decision::kPass)
      << "what was counted is no estimate";
  EXPECT_EQ(against({Rule::Kind::kMaxDrop, "accuracy", "", 0.01}, measured("accuracy_change", 0, 2), ""),
            Decision::kInsufficient);
}

TEST(Gate, TooFewSamplesAreToldHowManyItTakes) {
  const Rule rule{Rule::Kind::kAtLeast, "accuracy", "", 0.99};
  EXPECT_EQ(explained(rule, {card(ScorecardKind::kQuality, {metric("accuracy", 1, 2)})}),
            "2 samples cannot tell: without a single error it takes 368 or more.");
  EXPECT_EQ(explained(rule, {card(ScorecardKind::kQuality, {metric("accuracy", 0.99, 500)})}),
            "500 samples cannot tell: measure on more.");
}

TEST(Gate, SaysWhyAMetricThatWasMeasuredIsNotThere) {
  StoredScorecard bias = card(ScorecardKind::kBias, {metric("demographic_parity_difference", 0, 400, "site")});
  bias.scorecard.dataset = "held-out";
  bias.scorecard.evaluator = registry::evaluator_of({"1", "s", sha256("suite").hex(), sha256("data").hex()});
  const Rule rule{Rule::Kind::kAtLeast, "demographic_parity_ratio", "site", 0.8};
  EXPECT_EQ(explained(rule, {bias}),
            "It is not defined on the rows of 'held-out': no group is called positive at all.");
  EXPECT_EQ(explained(rule, {}), "No scorecard has this metric: measure it with `backstay evaluate`.");
}

TEST(Gate, MayLetOnlyMeasuredOrSignedScorecardsCount) {
  StoredScorecard written = card(ScorecardKind::kQuality, {metric("accuracy", 0.99, 500)});
  StoredScorecard evaluated = card(ScorecardKind::kQuality, {metric("accuracy", 0.95, 500)});
  evaluated.scorecard.source = registry::Source::kEvaluated;
  StoredScorecard old = written;
  old.scorecard.source = registry::Source::kUnrecorded;
  Gate gate{"g", 0.95, {{Rule::Kind::kAtLeast, "accuracy", "", 0.9}}};
  const auto row = [&](const std::vector<StoredScorecard>& cards) {
    return evaluate(gate, complete(), cards).rows.at(1);
  };
  EXPECT_EQ(row({written}).decision, Decision::kPass);
  EXPECT_TRUE(row({written}).by_hand);
  EXPECT_TRUE(row({old}).by_hand);
  EXPECT_FALSE(row({evaluated}).by_hand);
  gate.evidence = {registry::Source::kEvaluated, registry::Source::kSigned};
  for (const StoredScorecard& each : {written, old}) {
    EXPECT_EQ(row({each}).decision, Decision::kInsufficient);
    EXPECT_EQ(row({each}).explanation,
              "Only scorecards that do not count here have it: the gate takes what is evaluated, signed.");
  }
  EXPECT_EQ(row({evaluated, written}).decision, Decision::kPass) << "a later one that doesn't count hides nothing";
  EXPECT_EQ(row({evaluated, written}).observed, row({evaluated}).observed);
}

TEST(Gate, DoubtsBoundsOnTheWrongSide) {
  using Kind = Rule::Kind;
  const auto doubtful = [](Kind kind, const char* name) {
    return !doubts({"g", 0.95, {{kind, name, "", 0.1}}}).empty();
  };
  EXPECT_TRUE(doubtful(Kind::kAtMost, "accuracy"));
  EXPECT_TRUE(doubtful(Kind::kMaxRise, "recall"));
  EXPECT_TRUE(doubtful(Kind::kAtLeast, "log_loss"));
  EXPECT_TRUE(doubtful(Kind::kMaxDrop, "mean_absolute_error"));
  for (const char* name : {"false_positive_rate", "error_rate", "log_loss", "latency_p95_seconds"})
    EXPECT_FALSE(doubtful(Kind::kAtMost, name)) << name;
  for (const char* name : {"accuracy", "r2", "mean_error"}) EXPECT_FALSE(doubtful(Kind::kAtLeast, name)) << name;
}

TEST(Gate, AGapTellsOfGroupsThatWereTooSmall) {
  const StoredScorecard quality =
      card(ScorecardKind::kQuality, {metric("accuracy", 0.9, 900, "site=a"), metric("accuracy", 0.9, 900, "site=b")});
  const StoredScorecard bias = card(ScorecardKind::kBias, {metric("small_groups", 2, 1810, "site")});
  const Gate gate{"g", 0.95, {{Rule::Kind::kMaxGap, "accuracy", "", 0.1}}};
  EXPECT_NE(evaluate(gate, complete(), {bias, quality})
                .rows.at(1)
                .observed.find("; 2 of the groups of site are too small and left out"),
            std::string::npos);
}

TEST(Gate, AnIncompleteVersionFailsAndTheRowSaysWhatIsMissing) {
  Manifest manifest = complete();
  manifest.changelog.clear();
  const Verdict verdict = evaluate({"g", 0.95, {{Rule::Kind::kMinSamples, "accuracy", "", 10}}}, manifest,
                                   {card(ScorecardKind::kQuality, {metric("accuracy", 1, 10)})});
  EXPECT_EQ(verdict.decision, Decision::kFail);
  EXPECT_EQ(verdict.rows.at(0).observed, "missing: changelog");
  EXPECT_EQ(verdict.rows.at(1).decision, Decision::kPass);
}

TEST(Gate, AScanMayBeNoWorseThanItAllowsAndADangerousOneNeedsSomeoneWhoAnswers) {
  const Gate lenient{"g", 0.95, {{Rule::Kind::kMinSamples, "accuracy", "", 10}}, scan::Verdict::kSuspicious};
  Gate strict = lenient;
  strict.worst_scan = scan::Verdict::kSafe;
  const auto judge = [](const Gate& gate, const ScanEvidence& scan) {
    return evaluate(gate, complete(), {card(ScorecardKind::kQuality, {metric("accuracy", 1, 10)})}, &scan);
  };
  EXPECT_EQ(judge(lenient, {}).decision, Decision::kInsufficient);
  EXPECT_EQ(judge(strict, {scan::Verdict::kSafe, "", ""}).decision, Decision::kPass);
  EXPECT_EQ(judge(lenient, {scan::Verdict::kSuspicious, "m.f", ""}).decision, Decision::kPass);
  EXPECT_EQ(judge(strict, {scan::Verdict::kSuspicious, "m.f", ""}).decision, Decision::kFail);
  EXPECT_EQ(judge(lenient, {scan::Verdict::kDangerous, "os.system", ""}).decision, Decision::kFail);
  EXPECT_EQ(judge(lenient, {scan::Verdict::kDangerous, "os.system", "alice until 2027"}).decision, Decision::kPass);
  EXPECT_EQ(judge(lenient, {scan::Verdict::kSuspicious, "m.f", ""}).rows.at(1).observed, "suspicious (m.f)");
}

TEST(Gate, MayNotBeEmpty) {
  EXPECT_FALSE(validate({"g", 0.95, {}}));
  EXPECT_FALSE(validate({"g", 95, {{Rule::Kind::kAtLeast, "accuracy", "", 0.9}}}));
}

StoredScorecard change(double value, double lower, double upper, const std::string& baseline) {
  Metric metric{"accuracy_change", "", value, 500, lower, upper};
  metric.baseline = baseline;
  return card(ScorecardKind::kQuality, {metric});
}

TEST(Gate, ADropWithinItsMarginPassesOnlyWithConfidence) {
  const Rule rule{Rule::Kind::kMaxDrop, "accuracy", "", 0.02};
  EXPECT_EQ(against(rule, {change(-0.005, -0.015, 0.005, "m@1.0.0")}, "m@1.0.0"), Decision::kPass);
  EXPECT_EQ(against(rule, {change(-0.005, -0.025, 0.015, "m@1.0.0")}, "m@1.0.0"), Decision::kInsufficient);
  EXPECT_EQ(against(rule, {change(-0.05, -0.08, -0.03, "m@1.0.0")}, "m@1.0.0"), Decision::kFail);
}

TEST(Gate, ARiseIsADropTheOtherWayRound) {
  const Rule rule{Rule::Kind::kMaxRise, "accuracy", "", 0.02};
  EXPECT_EQ(against(rule, {change(-0.05, -0.08, -0.03, "m@1.0.0")}, "m@1.0.0"), Decision::kPass);
  EXPECT_EQ(against(rule, {change(0.05, 0.03, 0.08, "m@1.0.0")}, "m@1.0.0"), Decision::kFail);
}

TEST(Gate, AComparisonCountsOnlyWithWhatIsInProduction) {
  const Rule rule{Rule::Kind::kMaxDrop, "accuracy", "", 0.02};
  const StoredScorecard good = change(0, -0.01, 0.01, "m@1.0.0");
  EXPECT_EQ(against(rule, {good}, "m@1.1.0"), Decision::kInsufficient) << "another version is in production by now";
  EXPECT_EQ(against(rule, {}, "m@1.1.0"), Decision::kInsufficient) << "it was not compared";
  EXPECT_EQ(against(rule, {}, ""), Decision::kPass) << "there is nothing to compare with";
  EXPECT_EQ(against({Rule::Kind::kMaxDrop, "robustness_accuracy", "noise", 0.02}, {}, ""), Decision::kInsufficient)
      << "a test of the version with itself needs nothing in production";
}

TEST(Gate, AChangeWithoutLimitsCannotPass) {
  const StoredScorecard bare = card(ScorecardKind::kQuality, {metric("accuracy_change", 0, 500)});
  EXPECT_EQ(against({Rule::Kind::kMaxDrop, "accuracy", "", 0.02}, {bare}, ""), Decision::kInsufficient);
}

TEST(Gate, LimitsThatHoldLessOftenThanTheGateAsksForPassNothing) {
  StoredScorecard stored = card(ScorecardKind::kQuality, {{"accuracy", "", 0.95, 500, 0.93, 0.97}});
  const Rule rule{Rule::Kind::kAtLeast, "accuracy", "", 0.9};
  stored.scorecard.confidence = 0.95;
  EXPECT_EQ(decide(rule, {stored}), Decision::kPass);
  stored.scorecard.confidence = 0.9;
  EXPECT_EQ(decide(rule, {stored}), Decision::kInsufficient);
  EXPECT_EQ(decide({Rule::Kind::kAtLeast, "accuracy", "", 0.99}, {stored}), Decision::kInsufficient)
      << "and fail nothing";
}

TEST(Gate, ARuleMayBeAboutOneDataSet) {
  StoredScorecard easy = card(ScorecardKind::kQuality, {metric("accuracy", 0.99, 500)});
  StoredScorecard hard = card(ScorecardKind::kQuality, {metric("accuracy", 0.5, 500)});
  easy.scorecard.dataset = "easy";
  hard.scorecard.dataset = "hard";
  EXPECT_EQ(decide({Rule::Kind::kAtLeast, "accuracy", "", 0.9, "hard"}, {hard, easy}), Decision::kFail);
  EXPECT_EQ(decide({Rule::Kind::kAtLeast, "accuracy", "", 0.9, "easy"}, {easy, hard}), Decision::kPass);
  EXPECT_EQ(decide({Rule::Kind::kAtLeast, "accuracy", "", 0.9, "other"}, {easy, hard}), Decision::kInsufficient);
}

StoredScorecard measured_on(const std::string& dataset, const std::string& data, std::vector<Metric> metrics) {
  StoredScorecard stored = card(ScorecardKind::kQuality, std::move(metrics));
  stored.scorecard.dataset = dataset;
  stored.scorecard.evaluator = registry::evaluator_of({"1.0", "s", std::string(64, 'e'), data + std::string(60, '0')});
  return stored;
}

Row judged(const Rule& rule, const std::vector<StoredScorecard>& cards, const std::string& production = "") {
  return evaluate({"g", 0.95, {rule}}, complete(), cards, nullptr, production).rows.at(1);
}

TEST(Gate, AGapIsBetweenGroupsOfOneAttribute) {
  const Rule rule{Rule::Kind::kMaxGap, "accuracy", "", 0.2};
  const StoredScorecard fair =
      measured_on("first", "aaaa",
                  {metric("accuracy", 0.95, 900, "sex=f"), metric("accuracy", 0.94, 900, "sex=m"),
                   metric("accuracy", 0.60, 900, "season=summer"), metric("accuracy", 0.61, 900, "season=winter"),
                   metric("accuracy", 0.30, 900, "sex=m,season=winter"), metric("accuracy", 0.8, 900, "age<50")});
  EXPECT_EQ(judged(rule, {fair}).decision, Decision::kPass) << judged(rule, {fair}).observed;
  StoredScorecard unfair = fair;
  unfair.scorecard.metrics[3].value = 0.95;
  EXPECT_EQ(judged(rule, {unfair}).decision, Decision::kFail);
  EXPECT_NE(judged(rule, {unfair}).observed.find("season=winter vs season=summer"), std::string::npos);
  EXPECT_EQ(judged(rule, {measured_on("first", "aaaa", {metric("accuracy", 0.9, 900, "sex=f")})}).decision,
            Decision::kInsufficient);
  const StoredScorecard ages = measured_on(
      "first", "aaaa", {metric("accuracy", 0.95, 900, "age<50"), metric("accuracy", 0.3, 900, "age >= 50")});
  EXPECT_EQ(judged(rule, {ages}).decision, Decision::kFail);
}

TEST(Gate, AGapWithoutADataSetIsAboutTheNewestScorecardsSetOnly) {
  const Rule rule{Rule::Kind::kMaxGap, "accuracy", "", 0.2};
  const StoredScorecard second =
      measured_on("second", "bbbb", {metric("accuracy", 0.3, 900, "sex=f"), metric("accuracy", 0.3, 900, "sex=x")});
  const StoredScorecard older = measured_on("first", "aaaa", {metric("accuracy", 0.2, 900, "sex=gone")});
  const StoredScorecard first =
      measured_on("first", "aaaa", {metric("accuracy", 0.95, 900, "sex=f"), metric("accuracy", 0.94, 900, "sex=m")});
  EXPECT_EQ(judged(rule, {older, second, first}).decision, Decision::kPass)
      << judged(rule, {older, second, first}).observed;
  const StoredScorecard without_groups = measured_on("first", "aaaa", {metric("accuracy", 0.95, 900)});
  EXPECT_EQ(judged(rule, {first, without_groups}).decision, Decision::kInsufficient)
      << "groups that are no longer measured do not count";
}

TEST(Gate, FiguresOfOtherDataAreNotPutBesideThoseOfTheNewest) {
  const Rule drop{Rule::Kind::kMaxDrop, "accuracy", "", 0.02};
  const auto compared = [](const std::string& data) {
    StoredScorecard stored = measured_on("held-out", data, {{"accuracy", "", 0.95, 500, {}, {}}});
    Metric change{"accuracy_change", "", 0, 500, -0.01, 0.01};
    change.baseline = "m@1.0.0";
    stored.scorecard.metrics.push_back(change);
    return stored;
  };
  const auto alone = [](const std::string& data) {
    return measured_on("held-out", data, {{"accuracy", "", 0.95, 500, {}, {}}});
  };
  EXPECT_EQ(judged(drop, {compared("aaaa"), alone("aaaa")}, "m@1.0.0").decision, Decision::kPass);
  const Row other = judged(drop, {compared("aaaa"), alone("bbbb")}, "m@1.0.0");
  EXPECT_EQ(other.decision, Decision::kInsufficient);
  EXPECT_EQ(other.observed, "not measured on the newest data");
  EXPECT_EQ(judged(drop, {compared("aaaa"), alone("bbbb"), compared("bbbb")}, "m@1.0.0").decision, Decision::kPass);

  const StoredScorecard recall = measured_on("held-out", "aaaa", {metric("recall", 0.99, 500)});
  const Rule bound{Rule::Kind::kAtLeast, "recall", "", 0.9};
  EXPECT_EQ(judged(bound, {recall}).decision, Decision::kPass);
  EXPECT_EQ(judged(bound, {recall, alone("bbbb")}).decision, Decision::kInsufficient);
  StoredScorecard by_hand = recall;
  by_hand.scorecard.evaluator = "a laboratory";
  EXPECT_EQ(judged(bound, {by_hand, alone("bbbb")}).decision, Decision::kPass) << "it does not tell its data";
}

}  // namespace
}  // namespace backstay::gates
