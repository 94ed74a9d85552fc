#include "domain/evaluation/findings.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"

namespace backstay::evaluation {
namespace {

Predictions scored(std::vector<double> scores) {
  Predictions out;
  out.classes = {"0", "1"};
  out.truth.assign(scores.size(), 1);
  for (const double score : scores) out.predicted.push_back(score >= 0.5 ? 1 : 0);
  out.scores = std::move(scores);
  return out;
}

Predictions three_classes(std::vector<double> scores, std::vector<std::uint32_t> predicted) {
  Predictions out;
  out.classes = {"a", "b", "c"};
  out.truth = predicted;
  out.predicted = std::move(predicted);
  out.scores = std::move(scores);
  return out;
}

double pass_rate(std::optional<double> tolerance, const Predictions& before, const Predictions& after) {
  Behaviour test;
  test.name = "alike";
  test.tolerance = tolerance;
  return behaviour_metric(test, before, after, 0.95).value().value;
}

TEST(BehaviourOfTheSame, IsAboutTheClassWithoutATolerance) {
  EXPECT_EQ(pass_rate({}, scored({0.1, 0.6, 0.9, 0.4}), scored({0.4, 0.9, 0.4, 0.45})), 0.75);
}

TEST(BehaviourOfTheSame, IsAboutTheScoreWithATolerance) {
  const Predictions before = scored({0.125, 0.625, 0.875, 0.4921875});
  EXPECT_EQ(pass_rate(0.03125, before, scored({0.375, 0.65625, 0.875, 0.5078125})), 0.75)
      << "the first moves by more within its class, the last by less into another";
  EXPECT_EQ(pass_rate(0.0, before, scored({0.125, 0.625, 0.875, 0.5})), 0.75);
}

TEST(BehaviourOfTheSame, IsAboutEveryProbabilityOfARow) {
  const Predictions before = three_classes({0.5, 0.25, 0.25, 0.125, 0.75, 0.125}, {0, 1});
  EXPECT_EQ(pass_rate(0.0625, before, three_classes({0.5, 0.375, 0.125, 0.125, 0.75, 0.125}, {0, 1})), 0.5);
  EXPECT_EQ(pass_rate(0.125, before, three_classes({0.5, 0.375, 0.125, 0.125, 0.75, 0.125}, {0, 1})), 1);
}

Predictions drawn_from(std::size_t rows, std::size_t classes) {
  Random random(5);
  Predictions out;
  for (std::size_t k = 0; k < classes; ++k) out.classes.push_back(std::to_string(k));
  out.attributes.push_back({"site", {"site=a", "site=b"}, {}});
  for (std::size_t i = 0; i < rows; ++i) {
    out.truth.push_back(static_cast<std::uint32_t>(random.below(classes)));
    out.predicted.push_back(static_cast<std::uint32_t>(random.below(classes)));
    for (std::size_t k = 0; k < (classes == 2 ? 1 : classes); ++k)
      out.scores.push_back(static_cast<double>(random.below(8)) / 8);  // Many ties.
    out.attributes[0].of_row.push_back(static_cast<std::uint32_t>(random.below(2)));
  }
  return out;
}

TEST(Measures, OfDrawnRowsAreThoseOfACopyOfThem) {
  for (const std::size_t classes : {2u, 3u}) {
    const Predictions all = drawn_from(60, classes);
    std::size_t quick = 0;
    for (const Measure& each : measures_for(all, {})) {
      if (each.of_draws) ++quick;
      const OfDraws value = value_of_draws(each, all);
      Random random(9);
      for (int draw = 0; draw < 50; ++draw) {
        std::vector<std::uint32_t> rows(draw % 2 == 0 ? 60 : 2);
        for (std::uint32_t& row : rows) row = static_cast<std::uint32_t>(random.below(60));
        const double copied = value_of(each, select(all, rows));
        const double drawn = value(rows);
        EXPECT_TRUE(drawn == copied || (std::isnan(drawn) && std::isnan(copied))) << each.name << ": " << drawn;
      }
    }
    EXPECT_EQ(quick, classes == 2 ? 2u : 4u);
  }
}

TEST(QualityParts, AreTheMeasuresAndChangesOfAllAndOfEachGroup) {
  const Predictions candidate = drawn_from(100, 2);
  Predictions baseline = candidate;
  baseline.predicted = baseline.truth;
  std::vector<registry::Metric> found;
  for (const MeasuredPart& part : quality_parts(candidate, &baseline, "m@1.0.0", {}, 30))
    for (registry::Metric& metric : part.measure()) found.push_back(std::move(metric));
  const std::vector<registry::Metric> alone = measure(candidate, {});
  const std::vector<registry::Metric> changes = compare(candidate, baseline, {});
  ASSERT_EQ(found.size(), 3 * (alone.size() + changes.size()));
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(found[i].name, alone[i].name);
    EXPECT_EQ(found[i].value, alone[i].value);
    EXPECT_EQ(found[i].lower, alone[i].lower);
    EXPECT_EQ(found[i].group, "");
  }
  for (std::size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ(found[alone.size() + i].name, changes[i].name);
    EXPECT_EQ(found[alone.size() + i].value, changes[i].value);
    EXPECT_EQ(found[alone.size() + i].baseline, "m@1.0.0");
  }
  EXPECT_EQ(found.back().group, "site=b");
}

}  // namespace
}  // namespace backstay::evaluation
