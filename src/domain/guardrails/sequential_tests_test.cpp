#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <type_traits>
#include <vector>

#include "base/random.hpp"
#include "domain/guardrails/e_bh.hpp"
#include "domain/guardrails/latency.hpp"
#include "domain/guardrails/mean_tests.hpp"
#include "domain/guardrails/rate_tests.hpp"
#include "domain/guardrails/ratio_tests.hpp"

/// The tests against numbers that were computed another way: by a straightforward program in linear space (numpy,
/// scipy), and by adding up every path that a short experiment can take.
namespace backstay::guardrails {
namespace {

constexpr RestartPlan kQuick{0.75, 3};

// What owns nothing allocates nothing.
template <class... Tests>
constexpr bool kPlainValues = (std::is_trivially_copyable_v<Tests> && ...);
static_assert(kPlainValues<AbsoluteRateTest, RelativeRateTest, PairedRateTest, BoundedMeanTest, RelativeMeanTest,
                           PairedMeanTest, RelativeValueTest, RelativeRatioTest, RelativeLatencyTest, Cuped>);

/// One step of an experiment: what can happen, with which probability.
template <class Test>
struct Branch {
  double probability;
  std::function<void(Test&)> happens;
};

/// E[e-value] after `depth` steps, over all paths; restarts after every third step. At most 1 under a null hypothesis.
template <class Test>
double expected_e(const Test& test, const std::vector<Branch<Test>>& branches, int depth, int step = 0) {
  if (step == depth) return std::exp(test.log_e());
  double sum = 0;
  for (const Branch<Test>& branch : branches) {
    Test next = test;
    branch.happens(next);
    if ((step + 1) % 3 == 0) next.restart();
    sum += branch.probability * expected_e(next, branches, depth, step + 1);
  }
  return sum;
}

TEST(ExactExpectation, AnAbsoluteRateIsAFairBetAtItsLimit) {
  using Tested = AbsoluteRateTest;
  const auto branches = [](double p) {
    return std::vector<Branch<Tested>>{{p, [](Tested& t) { t.observe(true); }},
                                       {1 - p, [](Tested& t) { t.observe(false); }}};
  };
  EXPECT_NEAR(expected_e(Tested(0.1), branches(0.1), 12), 1, 1e-12);
  EXPECT_NEAR(expected_e(Tested(0.1, kQuick), branches(0.1), 12), 1, 1e-12);
  EXPECT_NEAR(expected_e(Tested(0.1, kQuick, Direction::kFor), branches(0.1), 12), 1, 1e-12);
  EXPECT_LT(expected_e(Tested(0.1, kQuick), branches(0.05), 12), 0.9);
  EXPECT_GT(expected_e(Tested(0.1, kQuick), branches(0.3), 12), 2);
}

TEST(ExactExpectation, ARelativeRateIsAFairBetWhateverTheBaseRate) {
  using Tested = RelativeRateTest;
  for (const double base : {0.05, 0.5}) {
    for (const double pi : {0.05, 0.3}) {
      const std::vector<Branch<Tested>> branches{{base * pi, [pi](Tested& t) { t.observe_bad(true, pi); }},
                                                 {base * (1 - pi), [pi](Tested& t) { t.observe_bad(false, pi); }},
                                                 {1 - base, [](Tested&) {}}};
      EXPECT_NEAR(expected_e(Tested(1, kQuick), branches, 9), 1, 1e-12);
    }
  }
}

TEST(ExactExpectation, ABetThatGoesNoFurtherThanItsLimitIsAsFair) {
  // A limit that is reached, left and reached again within a few steps.
  const double limit = std::log(6.0);
  const std::vector<Branch<AbsoluteRateTest>> rates{{0.1, [](AbsoluteRateTest& t) { t.observe(true); }},
                                                    {0.9, [](AbsoluteRateTest& t) { t.observe(false); }}};
  EXPECT_NEAR(expected_e(AbsoluteRateTest(0.1, {}, Direction::kAgainst, limit), rates, 12), 1, 1e-12);
  EXPECT_NEAR(expected_e(AbsoluteRateTest(0.1, kQuick, Direction::kAgainst, limit), rates, 12), 1, 1e-12);
  const std::vector<Branch<RelativeRateTest>> arms{{0.2, [](RelativeRateTest& t) { t.observe_bad(true, 0.2); }},
                                                   {0.8, [](RelativeRateTest& t) { t.observe_bad(false, 0.2); }}};
  EXPECT_NEAR(expected_e(RelativeRateTest(1, kQuick, Direction::kAgainst, limit), arms, 12), 1, 1e-12);
}

TEST(ExactExpectation, ToleratesWhatItIsToldToTolerate) {
  using Tested = RelativeRateTest;
  // Twice as bad, tolerance 2: fair; tolerance 1: a gain.
  const std::vector<Branch<Tested>> branches{{0.2 * 0.3, [](Tested& t) { t.observe_bad(true, 0.3); }},
                                             {0.1 * 0.7, [](Tested& t) { t.observe_bad(false, 0.3); }},
                                             {1 - 0.13, [](Tested&) {}}};
  EXPECT_NEAR(expected_e(Tested(2, kQuick), branches, 9), 1, 1e-12);
  EXPECT_GT(expected_e(Tested(1, kQuick), branches, 9), 1);
}

TEST(ExactExpectation, ABoundedMeanIsAFairBetAtItsLimit) {
  using Tested = BoundedMeanTest;
  // Scores 1, .5 and 0 with mean .8.
  const std::vector<Branch<Tested>> branches{{0.7, [](Tested& t) { t.observe(1); }},
                                             {0.2, [](Tested& t) { t.observe(0.5); }},
                                             {0.1, [](Tested& t) { t.observe(0); }}};
  EXPECT_NEAR(expected_e(Tested(0.8, kQuick), branches, 9), 1, 1e-12);
  EXPECT_LT(expected_e(Tested(0.7, kQuick), branches, 9), 1);
  EXPECT_GT(expected_e(Tested(0.9, kQuick), branches, 9), 1.1);
}

TEST(ExactExpectation, EqualMeansAreAFairBet) {
  using Tested = RelativeMeanTest;
  std::vector<Branch<Tested>> branches;
  for (const bool candidate : {true, false}) {
    for (const auto& [loss, p] : {std::pair{0.0, 0.6}, {0.3, 0.3}, {1.0, 0.1}}) {
      const double y = loss;
      branches.push_back({p * (candidate ? 0.2 : 0.8), [=](Tested& t) { t.observe(candidate, 0.2, y); }});
    }
  }
  EXPECT_NEAR(expected_e(Tested(0, kQuick), branches, 6), 1, 1e-12);
  EXPECT_LT(expected_e(Tested(0.1, kQuick), branches, 6), 1);
}

TEST(ExactExpectation, PairsAreAFairBet) {
  const std::vector<Branch<PairedMeanTest>> means{{0.2, [](PairedMeanTest& t) { t.observe(1, 0.5); }},
                                                  {0.2, [](PairedMeanTest& t) { t.observe(0, 0.5); }},
                                                  {0.6, [](PairedMeanTest& t) { t.observe(0.7, 0.7); }}};
  EXPECT_NEAR(expected_e(PairedMeanTest(0, kQuick), means, 9), 1, 1e-12);
  const std::vector<Branch<PairedRateTest>> rates{{0.1, [](PairedRateTest& t) { t.observe(true, false); }},
                                                  {0.1, [](PairedRateTest& t) { t.observe(false, true); }},
                                                  {0.8, [](PairedRateTest& t) { t.observe(true, true); }}};
  EXPECT_NEAR(expected_e(PairedRateTest(1, kQuick), rates, 9), 1, 1e-12);
}

TEST(ExactExpectation, AFiniteVarianceIsEnough) {
  // Skewed two-point differences with mean 0 and variance 1: a at probability 1/(1+a^2), -1/a otherwise.
  using Tested = FiniteVarianceTest;
  for (const double a : {0.05, 0.3, 1.0, 4.0, 30.0}) {
    const double p = 1 / (1 + a * a);
    const std::vector<Branch<Tested>> branches{{p,
                                                [a](Tested& t) {
                                                  t.observe({a, 1}, 1);
                                                }},
                                               {1 - p, [a](Tested& t) {
                                                  t.observe({-1 / a, 1}, 1);
                                                }}};
    EXPECT_LE(expected_e(Tested(kQuick), branches, 9), 1 + 1e-12) << a;
  }
}

TEST(AbsoluteRateTest, GivesTheEvidenceOfAStraightforwardProgram) {
  AbsoluteRateTest test(0.1, kQuick);
  int seen = 0;
  for (const bool bad : {false, false, true, false, true, true, true}) {
    test.observe(bad);
    if (++seen % 3 == 0) test.restart();
  }
  EXPECT_NEAR(test.log_e(), 3.768903763320052, 1e-12);
  EXPECT_EQ(test.bad(), 4u);
  EXPECT_EQ(test.count(), 7u);
}

TEST(AbsoluteRateTest, BetsNoMoreThanABreachNeeds) {
  const double limit = std::log(100.0);
  AbsoluteRateTest bounded(0.05, {}, Direction::kAgainst, limit);
  AbsoluteRateTest free(0.05);
  const std::vector<bool> outcomes{true, true, true, false, false, false, true, true};
  const std::vector<double> expected{1.76477705, 3.940196,   4.60517019, 3.89826733,
                                     3.84265995, 3.78058013, 4.60517019, 6.95839956};
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    bounded.observe(outcomes[i]);
    free.observe(outcomes[i]);
    EXPECT_NEAR(bounded.log_e(), expected[i], 1e-7) << i;
    EXPECT_EQ(bounded.log_e() >= limit, i == 2 || i >= 6) << i;
  }
  EXPECT_EQ(bounded.count(), 8u);
  EXPECT_EQ(bounded.bad(), 5u);
  EXPECT_NEAR(free.log_e(), 8.77423043, 1e-7);
}

TEST(AbsoluteRateTest, TheMirrorImageShowsThatAnObjectiveHolds) {
  AbsoluteRateTest test(0.1, {}, Direction::kFor);
  test.observe(true);
  for (int i = 0; i < 60; ++i) test.observe(false);
  EXPECT_NEAR(test.log_e(), 2.934970774880878, 1e-12);
}

TEST(AbsoluteRateTest, ARestartFindsALateBreakSooner) {
  const auto delay = [](const RestartPlan& plan) {
    AbsoluteRateTest test(0.05, plan);
    Random random(5);
    for (int i = 1; i <= 10'000; ++i) {
      test.observe(random.unit() < 0.05);
      if (plan.every > 0 && i % static_cast<int>(plan.every) == 0) test.restart();
    }
    int after = 0;
    for (; test.log_e() < std::log(100.0); ++after) test.observe(random.unit() < 0.2);
    return after;
  };
  EXPECT_LT(3 * delay(kUsualRestarts), delay({}));
}

TEST(BoundedMeanTest, GivesTheEvidenceOfAStraightforwardProgram) {
  BoundedMeanTest test(0.8);
  for (const double score : {.9, .2, .4, 1., 0., .3, .8, .1}) test.observe(score);
  EXPECT_NEAR(test.log_e(), 1.7091644135004598, 1e-12);
}

TEST(RelativeMeanTest, GivesTheEvidenceOfAStraightforwardProgram) {
  constexpr std::array<bool, 10> kCandidate{true, false, false, true, false, true, false, false, true, false};
  constexpr std::array<double, 10> kLoss{1, .2, 0, .9, .1, 1, .3, 0, .7, .5};
  constexpr std::array<double, 10> kPi{.3, .3, .3, .3, .5, .5, .5, .1, .1, .1};
  for (const auto& [margin, log_e] : {std::pair{0.0, 2.2934812030423397}, {0.05, 2.0904454612217713}}) {
    RelativeMeanTest test(margin);
    for (std::size_t i = 0; i < kPi.size(); ++i) test.observe(kCandidate[i], kPi[i], kLoss[i]);
    EXPECT_NEAR(test.log_e(), log_e, 1e-12);
  }
}

TEST(PairedMeanTest, GivesTheEvidenceOfAStraightforwardProgram) {
  PairedMeanTest test(0.1);
  for (const auto& [candidate, stable] : {std::pair{1., 0.}, {.5, .5}, {.2, .4}, {.9, .1}})
    test.observe(candidate, stable);
  EXPECT_NEAR(test.log_e(), 0.2808023013976091, 1e-12);
}

TEST(RelativeValueTest, GivesTheEvidenceOfAStraightforwardProgram) {
  RelativeValueTest test(0, 1.5, Better::kLower);
  for (const auto& [candidate, value] :
       {std::pair{false, 1.}, {false, 2.}, {true, 3.5}, {true, 2.}, {true, 4.}, {false, .5}, {false, 1.}, {true, 2.5}})
    test.observe(candidate, value);
  EXPECT_NEAR(test.log_e(), 0.7155979243734023, 1e-12);
}

TEST(NormalMixture, HasThePublishedBounds) {
  EXPECT_NEAR(log_normal_mixture(27.66071, 100, best_rho(100, 0.05)), std::log(20.0), 1e-5);
  // The two-sided bound at twice the level is nearly the same mixture.
  EXPECT_NEAR(log_normal_mixture(30.35209, 100, best_rho(100, 0.025)), std::log(40.0), 1e-2);
}

TEST(EBh, RejectsWhatTheDefinitionRejects) {
  std::array<double, 4> scratch{};
  const auto rejected = [&](std::array<double, 4> e, double alpha) {
    for (double& value : e) value = std::log(value);
    return e_bh(e, alpha, scratch).count;
  };
  EXPECT_EQ(rejected({1, 2, 3, 4}, 0.05), 0u);
  EXPECT_EQ(rejected({81, 1, 1, 1}, 0.05), 1u);  // 4 / (.05 * 1) = 80
  EXPECT_EQ(rejected({79, 1, 1, 1}, 0.05), 0u);
  EXPECT_EQ(rejected({41, 1, 45, 1}, 0.05), 2u);    // 40: neither would be rejected alone.
  EXPECT_EQ(rejected({21, 22, 23, 24}, 0.05), 4u);  // 20
  EXPECT_EQ(rejected({21, 22, 23, 19}, 0.05), 0u);  // Three need 26.7.
  EXPECT_DOUBLE_EQ(e_bh({}, 0.05, {}).log_limit, 0.0);
}

TEST(Cuped, LearnsTheSlopeFromStableAloneAndTakesTheNoiseOut) {
  Cuped exact;
  for (const auto& [x, y] : {std::pair{1., 2.}, {2., 3.}, {3., 5.}, {5., 4.}, {8., 9.}}) exact.adjust(false, y, x);
  exact.adjust(true, 1e9, 3);
  EXPECT_NEAR(exact.theta(), 0.8961038961038962, 1e-12);

  Random random(11);
  Cuped cuped;
  Moments plain, adjusted;
  for (int i = 0; i < 20'000; ++i) {
    const double x = random.unit() * 10;
    const double y = 2 * x + random.unit();
    const double z = cuped.adjust(i % 2 == 0, y, x);
    if (i < 1'000) continue;
    plain.add(y);
    adjusted.add(z);
  }
  EXPECT_LT(adjusted.variance(), plain.variance() / 100);
  EXPECT_NEAR(adjusted.mean(), plain.mean(), 0.2);
}

TEST(Cuped, LeavesWhatHasNoCovariateAndIsNotBlindedByAbsurdOnes) {
  Cuped cuped;
  for (int i = 0; i < 29; ++i) cuped.learn(i, i);
  EXPECT_EQ(cuped.shift(1e6), 0) << "too few to trust";
  EXPECT_EQ(cuped.adjust(true, 7, std::nan("")), 7);
  for (int i = 0; i < 2'000; ++i) cuped.learn(i % 29, i % 29);
  EXPECT_NEAR(cuped.theta(), 1, 1e-9);
  EXPECT_NEAR(cuped.explained(), 1, 1e-9);
  cuped.learn(14, std::nan(""));
  cuped.learn(14, 1e30);
  EXPECT_GT(cuped.theta(), 0.9);
  EXPECT_LT(cuped.shift(1e30), 60) << "six standard deviations";
  EXPECT_EQ(cuped.seen(), 2'031);
  Cuped constant;
  for (int i = 0; i < 100; ++i) constant.learn(i, 3);
  EXPECT_EQ(constant.shift(3), 0);
  EXPECT_EQ(constant.explained(), 0);
}

// A fair bet whatever the covariate makes one expect: losses of 0 and 1, whose chance depends on x, the same for both
// versions; and a lie about x for good measure.
TEST(RelativeMeanTest, ExpectsNoGainWhateverTheCovariateSays) {
  for (const double lie : {0.0, 0.7, -2.0}) {
    std::vector<Branch<RelativeMeanTest>> branches;
    for (const bool candidate : {true, false})
      for (const double x : {0.0, 1.0})
        for (const double loss : {0.0, 1.0}) {
          const double rate = 0.2 + 0.6 * x;
          const double probability = (candidate ? 0.3 : 0.7) * 0.5 * (loss > 0 ? rate : 1 - rate);
          branches.push_back({probability, [=](RelativeMeanTest& test) {
                                test.observe(candidate, 0.3, loss, 0.6 * (x - 0.5) + lie);
                              }});
        }
    EXPECT_NEAR(expected_e(RelativeMeanTest(0, kQuick), branches, 5), 1, 1e-12) << lie;
  }
}

// Tokens per call of users who call 1 to 9 times; the candidate's answers are `longer`.
double ratio_evidence(double longer, Better better, std::uint64_t seed) {
  Random random(seed);
  RelativeRatioTest test(1, better);
  double highest = 0;
  for (int i = 0; i < 20'000; ++i) {
    const bool candidate = random.unit() < 0.1;
    const double calls = 1 + std::floor(random.unit() * 9);
    const double tokens = calls * 100 * (0.5 + random.unit()) * (candidate ? longer : 1);
    test.observe(candidate, tokens, calls);
    highest = std::max(highest, test.log_e());
  }
  return highest;
}

TEST(RelativeRatioTest, FindsAWorseRatioInTheDirectionThatMatters) {
  EXPECT_GT(ratio_evidence(1.1, Better::kLower, 1), std::log(100.0));
  EXPECT_GT(ratio_evidence(0.9, Better::kHigher, 2), std::log(100.0));
  EXPECT_LT(ratio_evidence(0.9, Better::kLower, 3), std::log(20.0));
  EXPECT_LT(ratio_evidence(1.0, Better::kLower, 4), std::log(100.0));
}

TEST(Neighbours, ComparesWithWhatCameSinceTheLastPair) {
  Neighbours neighbours;
  EXPECT_FALSE(neighbours.add(false, 1));
  EXPECT_FALSE(neighbours.add(false, 3));
  const auto difference = neighbours.add(true, 5);
  ASSERT_TRUE(difference);
  EXPECT_DOUBLE_EQ(difference->value, 3);
  EXPECT_DOUBLE_EQ(difference->scale, 1.5);
  EXPECT_FALSE(neighbours.add(true, 5));
}

}  // namespace
}  // namespace backstay::guardrails
