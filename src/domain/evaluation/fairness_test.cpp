#include "domain/evaluation/fairness.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace backstay::evaluation {
namespace {

/// Rows of one group: how many of the positives and of the negatives are called positive.
struct Group {
  std::string name;
  std::size_t positives, found, negatives, alarms;
};

struct Data {
  Predictions predictions;
  Attribute attribute;
};

Data data_of(const std::vector<Group>& groups) {
  Data data;
  data.predictions.classes = {"0", "1"};
  data.attribute.name = "site";
  for (const Group& group : groups) {
    const auto index = static_cast<std::uint32_t>(data.attribute.values.size());
    data.attribute.values.push_back("site=" + group.name);
    for (std::size_t i = 0; i < group.positives + group.negatives; ++i) {
      const bool positive = i < group.positives;
      const bool called = positive ? i < group.found : i - group.positives < group.alarms;
      data.predictions.truth.push_back(positive ? 1 : 0);
      data.predictions.predicted.push_back(called ? 1 : 0);
      data.attribute.of_row.push_back(index);
    }
  }
  return data;
}

std::optional<registry::Metric> metric(const std::vector<Group>& groups, const std::string& name,
                                       const FairnessOptions& options = {}) {
  const Data data = data_of(groups);
  for (const registry::Metric& each : measure_fairness(data.predictions, data.attribute, options))
    if (each.name == name) return each;
  return std::nullopt;
}

std::string gaps(const std::vector<Group>& groups) {
  const Data data = data_of(groups);
  std::string all;
  for (const std::string& gap : fairness_gaps(data.predictions, data.attribute, {})) all += gap + "\n";
  return all;
}

TEST(Fairness, ComparesTheExtremesOfGroups) {
  const std::vector<Group> groups{{"a", 100, 90, 100, 10}, {"b", 100, 80, 100, 20}, {"c", 100, 60, 100, 10}};
  EXPECT_DOUBLE_EQ(metric(groups, "equal_opportunity_difference")->value, 0.3);
  EXPECT_DOUBLE_EQ(metric(groups, "equalized_odds_difference")->value, 0.3);
  EXPECT_DOUBLE_EQ(metric(groups, "equalized_odds_ratio")->value, 0.5);
  EXPECT_DOUBLE_EQ(metric(groups, "demographic_parity_difference")->value, 0.15);
  EXPECT_DOUBLE_EQ(metric(groups, "demographic_parity_ratio")->value, 0.7);
  EXPECT_EQ(metric(groups, "demographic_parity_ratio")->group, "site");
  EXPECT_EQ(metric(groups, "demographic_parity_ratio")->samples, 600U);
}

TEST(Fairness, LimitsOfTwoGroupsHoldTheDifference) {
  const auto found = metric({{"a", 200, 180, 200, 20}, {"b", 200, 180, 200, 20}}, "demographic_parity_difference");
  EXPECT_EQ(found->value, 0);
  EXPECT_EQ(*found->lower, 0);
  EXPECT_GT(*found->upper, 0.05);
  EXPECT_LT(*found->upper, 0.2);
}

TEST(Fairness, ASmallGroupMayBeTreatedInAnyWay) {
  const std::vector<Group> groups{{"a", 200, 180, 200, 20}, {"b", 200, 180, 200, 20}, {"c", 2, 0, 2, 0}};
  const auto found = metric(groups, "demographic_parity_difference");
  EXPECT_EQ(found->value, 0) << "of the groups that are large enough";
  EXPECT_GT(*found->upper, 0.5) << "but nothing is known of the small one";
  EXPECT_EQ(metric(groups, "small_groups")->value, 1);
}

TEST(Fairness, ASmallGroupIsLeftOutWhenThatIsAskedFor) {
  const std::vector<Group> groups{{"a", 200, 180, 200, 20}, {"b", 200, 180, 200, 20}, {"c", 2, 0, 2, 0}};
  const FairnessOptions options{0.95, 30, SmallGroups::kLeaveOut};
  EXPECT_LT(*metric(groups, "demographic_parity_difference", options)->upper, 0.2);
  EXPECT_EQ(metric(groups, "small_groups", options)->value, 1) << "and it is told";
}

TEST(Fairness, AGroupWithoutPositivesCountsAsInFairlearnAndAnyRecallIsPossible) {
  const std::vector<Group> groups{{"a", 200, 180, 200, 20}, {"b", 200, 180, 200, 20}, {"c", 0, 0, 100, 10}};
  const auto found = metric(groups, "equal_opportunity_difference");
  EXPECT_EQ(found->value, 0.9);  // fairlearn 0.15
  EXPECT_EQ(*found->lower, 0) << "its recall may be as good as theirs";
  EXPECT_GT(*found->upper, 0.9);
  EXPECT_NE(gaps(groups).find("1 of the groups of site has no positive rows"), std::string::npos) << gaps(groups);
}

TEST(Fairness, WithoutAnyFalseAlarmTheRatioOfTheOddsIsThatOfRecall) {
  const std::vector<Group> groups{{"a", 200, 200, 200, 0}, {"b", 200, 100, 200, 0}};
  const auto found = metric(groups, "equalized_odds_ratio");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value, 0.5);  // fairlearn 0.15
  EXPECT_EQ(*found->lower, 0) << "rates that are too small to show may have any ratio";
  EXPECT_NE(gaps(groups).find("No group of site has a false alarm"), std::string::npos) << gaps(groups);
}

TEST(Fairness, TellsWhatIsNotDefinedAndWhy) {
  EXPECT_EQ(gaps({{"a", 200, 180, 200, 20}, {"b", 200, 180, 200, 20}}), "");
  const std::vector<Group> nobody{{"a", 50, 0, 50, 0}, {"b", 50, 0, 50, 0}};
  EXPECT_FALSE(metric(nobody, "demographic_parity_ratio"));
  EXPECT_FALSE(metric(nobody, "equalized_odds_ratio"));
  EXPECT_NE(gaps(nobody).find("demographic_parity_ratio of site is not defined"), std::string::npos);
  EXPECT_NE(gaps(nobody).find("no positive row is found"), std::string::npos);
  const std::vector<Group> negatives{{"a", 0, 0, 50, 5}, {"b", 0, 0, 50, 5}};
  EXPECT_FALSE(metric(negatives, "equal_opportunity_difference"));
  EXPECT_NE(gaps(negatives).find("equal_opportunity_difference, of site are not defined"), std::string::npos)
      << gaps(negatives);
  EXPECT_NE(gaps({{"a", 50, 5, 50, 5}, {"b", 2, 1, 2, 1}}).find("one of its groups has at least 30"),
            std::string::npos);
}

TEST(Fairness, OneGroupIsNoComparison) {
  EXPECT_FALSE(metric({{"a", 200, 180, 200, 20}}, "demographic_parity_difference"));
}

TEST(Fairness, CalibrationLooksAtEachGroupsMeans) {
  Data data = data_of({{"a", 500, 500, 500, 0}, {"b", 500, 500, 500, 0}});
  for (std::size_t i = 0; i < 2000; ++i) data.predictions.scores.push_back(i < 1000 ? 0.5 : 0.7);
  for (const registry::Metric& each : measure_fairness(data.predictions, data.attribute, {})) {
    if (each.name != "calibration_gap") continue;
    EXPECT_NEAR(each.value, 0.2, 1e-12);
    EXPECT_GT(*each.lower, 0.1);
    EXPECT_LT(*each.upper, 0.3);
    return;
  }
  FAIL() << "no calibration_gap";
}

}  // namespace
}  // namespace backstay::evaluation
