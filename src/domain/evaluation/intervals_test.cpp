#include "domain/evaluation/intervals.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.hpp"

namespace backstay::evaluation {
namespace {

// Expected values: scipy.special.betainc, scipy.stats.beta/t/binomtest, scipy 1.17.
TEST(IncompleteBeta, IsThatOfScipy) {
  EXPECT_NEAR(incomplete_beta(2, 3, 0.4), 0.5248, 1e-14);
  EXPECT_NEAR(incomplete_beta(0.5, 0.5, 0.25), 1.0 / 3, 1e-14);
  EXPECT_NEAR(incomplete_beta(5000, 5001, 0.5), 0.5039893230696917, 1e-9);
  EXPECT_EQ(incomplete_beta(2, 3, 0), 0);
  EXPECT_EQ(incomplete_beta(2, 3, 1), 1);
}

TEST(StudentQuantile, IsThatOfTables) {
  EXPECT_NEAR(student_t_quantile(4, 0.975), 2.7764451051977987, 1e-9);
  EXPECT_NEAR(student_t_quantile(1, 0.975), 12.706204736174694, 1e-7);
  EXPECT_NEAR(student_t_quantile(4, 0.025), -2.7764451051977987, 1e-9);
}

TEST(ClopperPearson, IsExactAtTheEndsAndInBetween) {
  EXPECT_NEAR(clopper_pearson(95, 100, 0.95).lower, 0.887165088894537, 1e-12);
  EXPECT_NEAR(clopper_pearson(95, 100, 0.95).upper, 0.9835681208182717, 1e-12);
  EXPECT_EQ(clopper_pearson(0, 10, 0.95).lower, 0);
  EXPECT_NEAR(clopper_pearson(0, 10, 0.95).upper, 1 - std::pow(0.025, 0.1), 1e-12);
  EXPECT_NEAR(clopper_pearson(10, 10, 0.95).lower, std::pow(0.025, 0.1), 1e-12);
  EXPECT_EQ(clopper_pearson(10, 10, 0.95).upper, 1);
  EXPECT_EQ(clopper_pearson(0, 0, 0.95).lower, 0);
  EXPECT_EQ(clopper_pearson(0, 0, 0.95).upper, 1);
}

TEST(BoundedMean, CoversTheMeanAtLeastAsOftenAsItPromises) {
  // Skewed values in [0, 1] with the mean 1/4 (Beta(1, 3)): 300 sets of 60.
  Random random(7);
  int missed = 0;
  for (int i = 0; i < 300; ++i) {
    std::vector<double> values;
    for (int k = 0; k < 60; ++k) values.push_back(1 - std::cbrt(1 - random.unit()));
    const Interval limits = bounded_mean(values, 0.9);
    if (limits.lower > 0.25 || limits.upper < 0.25) ++missed;
  }
  EXPECT_LE(missed, 30);
}

TEST(BoundedMean, IsNarrowForValuesThatHardlyVary) {
  std::vector<double> values;
  for (int k = 0; k < 1000; ++k) values.push_back(k % 2 == 0 ? 0.30 : 0.31);
  const Interval limits = bounded_mean(values, 0.95);
  EXPECT_LT(limits.upper - limits.lower, 0.03);  // Hoeffding's would be 0.086 wide.
  EXPECT_LE(limits.lower, 0.305);
  EXPECT_GE(limits.upper, 0.305);
}

TEST(BoundedMean, DoesNotDependOnTheOrderOfAllZerosAndOnes) {
  EXPECT_EQ(bounded_mean({}, 0.95).upper, 1);
  const std::vector<double> ones(50, 1.0);
  EXPECT_GT(bounded_mean(ones, 0.95).lower, 0.85);
  EXPECT_EQ(bounded_mean(ones, 0.95).upper, 1);
}

TEST(QuantileLimits, AreOrderStatistics) {
  std::vector<double> values(100);
  std::iota(values.begin(), values.end(), 1.0);
  // Binomial(100, 1/2): P(< 40) = .0176 and P(< 61) = .9824 enclose the median with 95%.
  EXPECT_EQ(quantile_limits(values, 0.5, 0.95).lower, 40);
  EXPECT_EQ(quantile_limits(values, 0.5, 0.95).upper, 61);
  EXPECT_NEAR(quantile(values, 0.95), 95.05, 1e-12);
}

TEST(QuantileLimits, AreInfiniteWhereTooFewValuesEncloseTheQuantile) {
  std::vector<double> values(367);
  std::iota(values.begin(), values.end(), 1.0);
  EXPECT_TRUE(std::isinf(quantile_limits(values, 0.99, 0.95).upper));  // .99^367 = .02501
  values.push_back(368);
  EXPECT_EQ(quantile_limits(values, 0.99, 0.95).upper, 368);
}

TEST(Bootstrap, IsTheSameEachTimeAndKeepsStrata) {
  std::vector<std::uint32_t> rows(40);
  std::iota(rows.begin(), rows.end(), 0U);
  const auto mean = [](const std::vector<std::uint32_t>& chosen) {
    return std::accumulate(chosen.begin(), chosen.end(), 0.0) / static_cast<double>(chosen.size());
  };
  const Interval first = bootstrap({rows}, 0.95, mean);
  const Interval second = bootstrap({rows}, 0.95, mean);
  EXPECT_EQ(first.lower, second.lower);
  EXPECT_LT(first.lower, 19.5);
  EXPECT_GT(first.upper, 19.5);
  std::vector<std::vector<std::uint32_t>> single;
  for (const std::uint32_t row : rows) single.push_back({row});
  EXPECT_EQ(bootstrap(single, 0.95, mean).lower, 19.5);
}

TEST(Bootstrap, OfFewRowsGivesNoLimits) {
  std::vector<std::uint32_t> rows(29);
  std::iota(rows.begin(), rows.end(), 0U);
  const auto first = [](const std::vector<std::uint32_t>& chosen) { return static_cast<double>(chosen[0]); };
  EXPECT_TRUE(std::isinf(bootstrap({rows}, 0.95, first).upper));
  EXPECT_TRUE(std::isinf(student_mean(std::vector<double>(29, 1.0), 0.95).upper));
  EXPECT_FALSE(std::isinf(student_mean(std::vector<double>(30, 1.0), 0.95).upper));
}

TEST(UnseenShare, IsTheRuleOfThree) {
  EXPECT_EQ(unseen_share(0, 0.95), 1);
  EXPECT_NEAR(unseen_share(1000, 0.95), 3.69 / 1000, 1e-5);  // ln(2 / 0.05) = 3.69
  EXPECT_NEAR(unseen_share(100, 0.9), 0.0295130, 1e-6);      // 1 - .05^(1/100)
}

TEST(WithUnseen, AddsWhatWasNotSeenToWhatWas) {
  const Interval none = with_unseen(0.8, {0.8, 0.8}, {0, 1}, 0.1);
  EXPECT_NEAR(none.lower, 0.72, 1e-12);
  EXPECT_NEAR(none.upper, 0.82, 1e-12);
  const Interval both = with_unseen(0.8, {0.74, 0.8}, {0, 1}, 0.1);
  EXPECT_NEAR(both.lower, 0.7, 1e-12);  // .06 and .08
  EXPECT_EQ(with_unseen(0.8, {0.7, 0.9}, {0, 1}, 0).lower, 0.7);
}

}  // namespace
}  // namespace backstay::evaluation
