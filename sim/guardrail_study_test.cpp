#include "sim/guardrail_study.hpp"

#include <gtest/gtest.h>

#include "sim/release_rules.hpp"

namespace backstay::sim {
namespace {

// The seeds are fixed, so these say the same every time; the margin says that a claim that holds would not fail them
// with other seeds either. The large run is backstay-guardrail-study (docs/statistics.md).

TEST(GuardrailStudy, AGoodVersionIsTakenBackNoMoreOftenThanAlpha) {
  const auto scenarios = null_scenarios();
  EXPECT_GE(scenarios.size(), 21u);
  for (const NullScenario& scenario : scenarios) {
    const FalseAlarms seen = count_false_alarms(scenario, 250, 3);
    EXPECT_TRUE(seen.within(scenario.alpha, 4)) << scenario.test << ", " << scenario.name << ": " << seen.rolled_back;
  }
}

TEST(GuardrailStudy, ACovariateThatExplainsMuchFindsAWorseMeanMuchSooner) {
  // A score in [0, 1] may be anything at the next request, so bets on it stay small however well it is known.
  for (const auto& [test, times] :
       {std::pair{guardrails::TestKind::kMeanVsStable, 1.7}, std::pair{guardrails::TestKind::kValueVsStable, 3.0}}) {
    const auto delay = [kind = test](double explained, bool given) {
      return measure_covariate(kind, explained, given, 40, 7);
    };
    EXPECT_LT(delay(0.9, true) * times, delay(0.9, false)) << guardrails::to_string(test);
    EXPECT_LT(delay(0.0, true), delay(0.0, false) * 1.25)
        << guardrails::to_string(test) << ": a useless one costs little";
  }
}

TEST(GuardrailStudy, NoticesATestThatIsWrong) {
  // A guardrail that is told half of the candidate's share.
  const NullScenario wrong{"half", "rate_vs_stable", 0.01, [](Random& random) {
                             auto rule = backstay_rule(0.1);
                             for (int i = 0; i < 5'000; ++i)
                               if (rule->on_request(random.unit() < 0.2, random.unit() < 0.1)) return true;
                             return false;
                           }};
  EXPECT_FALSE(count_false_alarms(wrong, 250, 3).within(0.01, 4));
}

TEST(GuardrailStudy, DetectionIsNearTheInformationBound) {
  for (const DelayCase& item : delay_cases()) {
    if (item.stable < 0.01) continue;  // Long ones are for the large run.
    const Delay delay = measure_delay(item, 150, 5);
    EXPECT_LT(delay.restarts, 1.9 * delay.bound) << item.test << " " << item.candidate;
    EXPECT_GT(delay.restarts, 0.8 * delay.bound) << item.test << " " << item.candidate;
    EXPECT_LT(delay.oracle, delay.restarts * 1.1);
  }
}

TEST(GuardrailStudy, RestartsFindALateBreakSoonerAndCostLittleAtTheStart) {
  const LateBreak late = measure_late_break(0.05, 0.2, 10'000, 60, 1);
  EXPECT_LT(late.restarts * 3, late.plain);
  const LateBreak early = measure_late_break(0.05, 0.2, 0, 400, 1);
  EXPECT_LT(early.restarts, early.plain * 1.1);
}

TEST(ReleaseRules, SeeTheSameHoursAndDifferAsTheTablesSay) {
  const auto streams = release_streams();
  const auto good = compare_rules(streams[0], 30, 9);
  const auto bad = compare_rules(streams[3], 10, 9);
  ASSERT_EQ(good.size(), 5u);
  EXPECT_EQ(good[0].rule, "backstay");
  EXPECT_LE(good[0].rolled_back, 0.1);
  EXPECT_EQ(bad[0].rolled_back, 1.0);
  EXPECT_LT(bad[0].median_requests, 300);
  // Judged after ten minutes, five failed minutes.
  EXPECT_GT(bad[2].median_requests, 2'500);
  EXPECT_GT(bad[4].median_requests, 1'200);
}

}  // namespace
}  // namespace backstay::sim
