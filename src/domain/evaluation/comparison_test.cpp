#include "domain/evaluation/comparison.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"
#include "domain/evaluation/curves.hpp"

namespace backstay::evaluation {
namespace {

registry::Metric find(const std::vector<registry::Metric>& metrics, const std::string& name) {
  for (const registry::Metric& metric : metrics)
    if (metric.name == name) return metric;
  ADD_FAILURE() << "no " << name;
  return {};
}

Predictions binary(std::vector<std::uint32_t> truth, std::vector<double> scores) {
  Predictions p;
  p.classes = {"0", "1"};
  for (const double score : scores) p.predicted.push_back(score >= 0.5 ? 1 : 0);
  p.truth = std::move(truth);
  p.scores = std::move(scores);
  return p;
}

/// Scores of rows whose truth is known with noise.
Predictions noisy(std::size_t rows, double noise, std::uint64_t seed) {
  Random truth(3);
  Random random(seed);
  std::vector<std::uint32_t> labels;
  std::vector<double> scores;
  for (std::size_t i = 0; i < rows; ++i) {
    labels.push_back(truth.unit() < 0.4 ? 1 : 0);
    scores.push_back(std::clamp(labels.back() * 0.4 + 0.3 + noise * (random.unit() - 0.5), 0.0, 1.0));
  }
  return binary(labels, scores);
}

TEST(PairedRates, AreNewcombesOfHisExample) {
  // Newcombe (1998), table III: 36, 12, 2, 0.
  const Interval limits = paired_rates(36, 12, 2, 0, 0.95);
  EXPECT_NEAR(limits.lower, 0.0569, 5e-5);
  EXPECT_NEAR(limits.upper, 0.3404, 5e-5);
}

TEST(PairedRates, SayNothingWithoutRowsAndLittleWithFew) {
  EXPECT_EQ(paired_rates(0, 0, 0, 0, 0.95).lower, -1);
  const Interval few = paired_rates(3, 0, 0, 0, 0.95);
  EXPECT_LT(few.lower, -0.3);
  EXPECT_GT(few.upper, 0.3);
}

TEST(McNemar, IsTheBinomialTest) {
  EXPECT_NEAR(mcnemar_p_value(12, 2), 0.012939453125, 1e-12);  // scipy.stats.binomtest(2, 14).pvalue
  EXPECT_EQ(mcnemar_p_value(0, 0), 1);
  EXPECT_EQ(mcnemar_p_value(5, 5), 1);
}

TEST(Compare, FindsNoChangeBetweenAVersionAndItself) {
  const Predictions p = noisy(400, 1.0, 5);
  const auto changes = compare(p, p, {});
  for (const registry::Metric& change : changes) {
    EXPECT_EQ(change.value, 0) << change.name;
    ASSERT_TRUE(change.lower && change.upper) << change.name;
    EXPECT_LE(*change.lower, 0) << change.name;
    EXPECT_GE(*change.upper, 0) << change.name;
  }
  EXPECT_LT(*find(changes, "roc_auc_change").lower, -0.01) << "rows on which they differ may not have been drawn";
}

TEST(Compare, TwoRowsSayNothingOfAChange) {
  const Predictions two = binary({1, 0}, {0.9, 0.1});
  const auto changes = compare(two, two, {});
  for (const char* name : {"accuracy_change", "balanced_accuracy_change", "f1_change", "precision_change",
                           "roc_auc_change", "average_precision_change", "matthews_correlation_change",
                           "log_loss_change", "brier_score_change", "calibration_error_change"}) {
    const registry::Metric change = find(changes, name);
    EXPECT_LT(change.lower.value_or(0), -0.5) << name;
    EXPECT_GT(change.upper.value_or(0), 0.5) << name;
  }
}

TEST(Compare, OfErrorsOnFewRowsThereAreNoLimits) {
  Predictions p;
  p.task = Task::kRegression;
  p.target = p.value = {1, 2, 3};
  for (const registry::Metric& change : compare(p, p, {})) EXPECT_FALSE(change.lower || change.upper) << change.name;
}

TEST(Compare, TellsABetterVersionFromAWorseOne) {
  const auto changes = compare(noisy(2000, 1.0, 5), noisy(2000, 1.9, 6), {});
  for (const char* name :
       {"accuracy_change", "recall_change", "roc_auc_change", "average_precision_change", "f1_change"})
    EXPECT_GT(*find(changes, name).lower, 0) << name;
  for (const char* name : {"brier_score_change", "log_loss_change"}) EXPECT_LT(*find(changes, name).upper, 0) << name;
  EXPECT_EQ(find(changes, "accuracy_change").samples, 2000U);
}

TEST(Compare, LeavesOutWhatOneOfThemDoesNotGive) {
  Predictions labels_only = noisy(100, 1.0, 5);
  labels_only.scores.clear();
  for (const registry::Metric& change : compare(noisy(100, 1.0, 5), labels_only, {}))
    EXPECT_NE(change.name, "roc_auc_change");
}

TEST(Measure, GivesNoValueWhereThereIsNone) {
  const auto metrics = measure(binary({0, 0, 0}, {0.1, 0.2, 0.3}), {});
  for (const registry::Metric& metric : metrics) {
    EXPECT_THAT(metric.name, testing::AllOf(testing::Ne("recall"), testing::Ne("precision"), testing::Ne("roc_auc")));
    EXPECT_TRUE(std::isfinite(metric.value));
  }
  EXPECT_EQ(find(metrics, "accuracy").value, 1);
  EXPECT_EQ(find(metrics, "specificity").samples, 3U);
}

TEST(Measure, LimitsOfAPerfectAucAreThoseOfAsManyPairs) {
  const auto metrics = measure(binary({0, 0, 0, 1, 1}, {0.1, 0.2, 0.3, 0.8, 0.9}), {});
  EXPECT_EQ(find(metrics, "roc_auc").value, 1);
  EXPECT_NEAR(*find(metrics, "roc_auc").lower, std::sqrt(0.025), 1e-12);
}

TEST(Measure, TwoPerfectRowsShowNothing) {
  const auto metrics = measure(binary({1, 0}, {0.9, 0.1}), {});
  for (const char* name : {"accuracy", "balanced_accuracy", "f1", "roc_auc", "average_precision"}) {
    EXPECT_EQ(find(metrics, name).value, 1) << name;
    EXPECT_LT(*find(metrics, name).lower, 0.2) << name;
  }
  EXPECT_LT(*find(metrics, "matthews_correlation").lower, -0.5);
  EXPECT_GT(*find(metrics, "calibration_error").upper, 0.8);
  EXPECT_GT(*find(metrics, "log_loss").upper, 5);
}

TEST(Measure, APerfectFigureIsShownByAsManyRowsAsTheRuleOfThreeAsksFor) {
  std::vector<std::uint32_t> truth;
  std::vector<double> scores;
  for (std::size_t i = 0; i < 800; ++i) {
    truth.push_back(i % 2);
    scores.push_back(i % 2 == 0 ? 0.1 : 0.9);
  }
  const auto metrics = measure(binary(truth, scores), {});
  EXPECT_NEAR(*find(metrics, "average_precision").lower, std::pow(0.025, 1.0 / 400), 1e-12);
  EXPECT_NEAR(*find(metrics, "matthews_correlation").lower, 2 * std::pow(0.025, 1.0 / 400) - 1, 1e-12);
  EXPECT_GT(*find(metrics, "average_precision").lower, 0.99);
}

TEST(Measure, ErrorsOfAPerfectRegressionMayStillBeThoseOfRowsThatWereNotSeen) {
  Predictions p;
  p.task = Task::kRegression;
  for (std::size_t i = 0; i < 29; ++i) p.target.push_back(static_cast<double>(i % 2));
  p.value = p.target;
  for (const registry::Metric& metric : measure(p, {})) EXPECT_FALSE(metric.upper) << metric.name;
  p.target.push_back(1);
  p.value.push_back(1);
  const auto metrics = measure(p, {});
  const double unseen = 1 - std::pow(0.025, 1.0 / 30);
  // Of 0 and 1 the mean is half off everywhere: absolute error 1/2, squared 1/4.
  EXPECT_NEAR(*find(metrics, "mean_absolute_error").upper, unseen / 2, 1e-12);
  EXPECT_EQ(*find(metrics, "mean_absolute_error").lower, 0);
  EXPECT_NEAR(*find(metrics, "root_mean_squared_error").upper, std::sqrt(unseen / 4), 1e-12);
  EXPECT_NEAR(*find(metrics, "mean_error").lower, -unseen / 2, 1e-12);
  EXPECT_NEAR(*find(metrics, "r2").lower, 1 - unseen, 1e-12);
  EXPECT_EQ(*find(metrics, "r2").upper, 1);
}

TEST(Measure, ErrorsAreNeverBelowZeroNorAreTheirLimits) {
  Predictions p;
  p.task = Task::kRegression;
  for (std::size_t i = 0; i < 40; ++i) {
    p.target.push_back(static_cast<double>(i));
    p.value.push_back(static_cast<double>(i) + (i == 7 ? 100 : 0));
  }
  const auto metrics = measure(p, {});
  for (const char* name :
       {"mean_absolute_error", "mean_squared_error", "root_mean_squared_error", "mean_absolute_percentage_error"})
    EXPECT_EQ(find(metrics, name).lower.value_or(-1), 0) << name;
  EXPECT_LT(*find(metrics, "mean_error").lower, 0);
}

TEST(Measure, LogLossHoldsWithErrorsThatAreSeldomAndSure) {
  // One in 200 is wrong with a probability of 1, and costs 36: the mean is 0.18 + 0.995 * 0.105. Student's limits,
  // which know only what was drawn, hold it in 4 of 10 sets of 100 rows.
  const double cost = -std::log(kClip);
  const double truth = 0.005 * cost - 0.995 * std::log(0.9);
  Random random(11);
  int missed = 0;
  for (int set = 0; set < 200; ++set) {
    std::vector<std::uint32_t> labels;
    std::vector<double> scores;
    for (int i = 0; i < 100; ++i) {
      const bool wrong = random.unit() < 0.005;
      labels.push_back(random.unit() < 0.5 ? 1 : 0);
      scores.push_back(wrong ? 1.0 - labels.back() : labels.back() == 1 ? 0.9 : 0.1);
    }
    const Predictions p = binary(labels, scores);
    for (const Measure& each : measures_for(p, {})) {
      if (each.name != "log_loss") continue;
      std::vector<double> units = each.units(p);
      for (double& unit : units) unit /= cost;
      const Interval limits = bounded_mean(units, 0.95);
      if (limits.lower * cost > truth || limits.upper * cost < truth) ++missed;
    }
  }
  EXPECT_LE(missed, 10);
}

TEST(Measure, AveragePrecisionHoldsWithErrorsThatAreSeldomAndSure) {
  // One positive in 50 stands below everything.
  const auto draw = [](Random& random, std::size_t rows) {
    std::vector<std::uint32_t> labels;
    std::vector<double> scores;
    for (std::size_t i = 0; i < rows; ++i) {
      labels.push_back(i % 2);
      const bool lost = labels.back() == 1 && random.unit() < 0.02;
      scores.push_back(lost ? 0.01 * random.unit() : 0.1 + 0.3 * labels.back() + 0.5 * random.unit());
    }
    return binary(labels, scores);
  };
  Random random(12);
  const Predictions many = draw(random, 400'000);
  const double truth = average_precision(many.truth, many.scores);
  int missed = 0;
  for (int set = 0; set < 100; ++set) {
    const Predictions p = draw(random, 120);
    const registry::Metric found = find(measure(p, {}), "average_precision");
    if (*found.lower > truth || *found.upper < truth) ++missed;
  }
  EXPECT_LE(missed, 5);
}

TEST(Measure, LogLossTakesProbabilitiesAsTheyAre) {
  Predictions three;
  three.classes = {"a", "b", "c"};
  three.truth = three.predicted = {0, 1};
  three.scores = {0.4999, 0.25, 0.25, 0.25, 0.4999, 0.25};
  EXPECT_NEAR(find(measure(three, {}), "log_loss").value, -std::log(0.4999), 1e-15) << "not made to sum to 1";
  Predictions two = binary({0, 0}, {0.25, 0.25});
  EXPECT_NEAR(find(measure(two, {}), "log_loss").value, -std::log(0.75), 1e-15);
  two.complements = {0.7499, 0.7499};
  EXPECT_NEAR(find(measure(two, {}), "log_loss").value, -std::log(0.7499), 1e-15);
  two.complements = {0, 0};
  EXPECT_NEAR(find(measure(two, {}), "log_loss").value, -std::log(kClip), 1e-12);
  MeasureOptions clipped;
  clipped.clip = 0.001;
  EXPECT_NEAR(find(measure(two, clipped), "log_loss").value, -std::log(0.001), 1e-12);
}

TEST(Measure, RankingTakesTheWorstOrderOfTies) {
  Predictions p;
  p.task = Task::kRanking;
  p.target = {1, 0, 0, 0};
  p.value = {5, 5, 5, 5};
  p.query = {0, 0, 0, 0};
  const auto metrics = measure(p, {0.95, 10, {1}, true});
  EXPECT_EQ(find(metrics, "mean_reciprocal_rank").value, 0.25);
  EXPECT_EQ(find(metrics, "precision_at_1").value, 0);
}

TEST(Measures, ThatAreSharesStayInTheirRangeWhateverRoundingDoes) {
  // 49 positives, each its own threshold: 49 times 1/49 is more than 1.
  for (const std::size_t positives : {3U, 49U, 61U, 103U}) {
    std::vector<std::uint32_t> truth;
    std::vector<double> scores;
    for (std::size_t i = 0; i < 2 * positives; ++i) {
      truth.push_back(i < positives ? 1 : 0);
      scores.push_back(i < positives ? 0.9 - 0.0001 * static_cast<double>(i)
                                     : 0.1 - 0.0001 * static_cast<double>(i % 97));
    }
    registry::Scorecard card;
    card.metrics = measure(binary(truth, scores), {});
    const auto valid = registry::validate(card);
    EXPECT_TRUE(valid) << positives << ": " << (valid ? "" : valid.error().message);
    const registry::Metric found = find(card.metrics, "average_precision");
    EXPECT_EQ(found.value, 1);
    EXPECT_LE(found.upper.value_or(2), 1);
  }
}

TEST(Measures, LeaveOutWhatIsNotDefinedForRowsOfOneClass) {
  const Predictions one = binary({1, 1, 1}, {0.9, 0.8, 0.2});
  std::vector<std::string> names;
  for (const registry::Metric& metric : measure(one, {})) names.push_back(metric.name);
  EXPECT_THAT(names, testing::IsSupersetOf({"accuracy", "recall", "brier_score"}));
  const char* undefined[] = {"balanced_accuracy", "specificity", "roc_auc", "average_precision",
                             "matthews_correlation"};
  for (const char* name : undefined) EXPECT_THAT(names, testing::Not(testing::Contains(name)));
  EXPECT_THAT(undefined_measures(one, {}), testing::UnorderedElementsAreArray(undefined));
  EXPECT_THAT(undefined_measures(binary({1, 0}, {0.9, 0.1}), {}), testing::IsEmpty());
}

TEST(Measures, OfTargetsThatAreAllAlikeHaveTheR2OfScikitLearn) {
  Predictions p;
  p.task = Task::kRegression;
  p.target = {0.1, 0.1, 0.1};
  p.value = {0.1, 0.1, 0.1};
  EXPECT_EQ(find(measure(p, {}), "r2").value, 1);
  p.value = {0.1, 0.2, 0.1};
  EXPECT_EQ(find(measure(p, {}), "r2").value, 0);
  p.target = {0.1};
  p.value = {0.1};
  EXPECT_THAT(undefined_measures(p, {}), testing::Contains("r2"));
}

}  // namespace
}  // namespace backstay::evaluation
