#include "domain/drift/window_watch.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"
#include "domain/drift/row_profile.hpp"

namespace backstay::drift {
namespace {

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * M_PI * random.unit());
}

/// Columns x and y and an embedding.
Profile window_of(Random& random, std::size_t rows, double correlation, double shift) {
  RowProfile out;
  for (std::size_t i = 0; i < rows; ++i) {
    const double x = normal(random);
    const double y = correlation * x + std::sqrt(1 - correlation * correlation) * normal(random);
    std::vector<double> vector(24);
    for (double& each : vector) each = normal(random) + shift;
    const std::vector<Value> row{{Value::Kind::kNumber, false, x},
                                 {Value::Kind::kNumber, false, y},
                                 {Value::Kind::kNested, false, 0, {}, vector}};
    out.add(row);
  }
  return out.named({"x", "y", "e"});
}

TEST(WindowWatch, TellsOfARelationAndOfVectorsOnce) {
  Random random(1);
  WindowWatch watch(window_of(random, 2'000, 0.7, 0), 0.01, {});
  ASSERT_TRUE(watch.watches());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(watch.judge(window_of(random, 200, 0.7, 0)).empty());
  const WindowWatch::Alarms relation = watch.judge(window_of(random, 200, 0, 0));
  ASSERT_EQ(relation.pairs.size(), 1u);
  EXPECT_TRUE(relation.vectors.empty());
  const WindowWatch::Alarms both = watch.judge(window_of(random, 200, 0, 0.5));
  EXPECT_TRUE(both.pairs.empty());
  ASSERT_EQ(both.vectors.size(), 1u);
  EXPECT_EQ(both.vectors[0].name, "e");
}

TEST(WindowWatch, ManyWindowsInWhichNothingHappensRaiseFewAlarms) {
  constexpr int kRuns = 10;
  int alarms = 0;
  for (std::uint64_t run = 0; run < kRuns; ++run) {
    Random random(run);
    WindowWatch watch(window_of(random, 2'000, 0.7, 0), 0.05, {});
    for (int i = 0; i < 10; ++i)
      if (!watch.judge(window_of(random, 100, 0.7, 0)).empty()) ++alarms;
  }
  EXPECT_LE(alarms, 3) << "of 10 runs each with a chance of 5%";
}

TEST(WindowWatch, LooksAtNothingThatIsIgnoredOrTooSmall) {
  Random random(3);
  const Profile training = window_of(random, 1'000, 0.7, 0);
  WindowWatch ignoring(training, 0.01, {"e", "y"});
  EXPECT_TRUE(ignoring.judge(window_of(random, 500, 0, 2)).empty());
  WindowWatch watch(training, 0.01, {});
  EXPECT_TRUE(watch.judge(window_of(random, 20, -0.9, 5)).empty());
  EXPECT_FALSE(WindowWatch(Profile(), 0.01, {}).watches());
}

}  // namespace
}  // namespace backstay::drift
