#include "domain/drift/sequential.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <functional>

#include "base/random.hpp"

namespace backstay::drift {
namespace {

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * M_PI * random.unit());
}

/// Fine enough that the sketch's own error is nothing beside the tolerance.
ColumnProfile normals(std::uint64_t seed, std::size_t rows) {
  Random random(seed);
  ColumnProfile out(Resolution{4'000});
  for (std::size_t i = 0; i < rows; ++i) out.add_number(normal(random), false);
  return out;
}

struct Found {
  int runs = 0;
  double mean_rows = 0;    ///< After the change.
  double since_error = 0;  ///< Mean distance of `since` from the change.
};

Found watch(int runs, std::uint64_t calm, std::uint64_t most, const std::function<double(Random&)>& after) {
  Found out;
  for (int run = 0; run < runs; ++run) {
    ColumnWatch column(normals(static_cast<std::uint64_t>(run) + 1'000, 100'000), {});
    Random random(static_cast<std::uint64_t>(run) + 1);
    for (std::uint64_t i = 0; i < calm + most && !column.alarm(); ++i)
      column.observe_number(i < calm ? normal(random) : after(random));
    if (!column.alarm()) continue;
    ++out.runs;
    out.mean_rows += static_cast<double>(column.alarm()->at) - static_cast<double>(calm);
    out.since_error += std::abs(static_cast<double>(column.alarm()->since) - static_cast<double>(calm));
  }
  if (out.runs > 0) {
    out.mean_rows /= out.runs;
    out.since_error /= out.runs;
  }
  return out;
}

TEST(ColumnWatch, FindsAShiftSoonAndATrivialOneNever) {
  const Found half = watch(40, 0, 5'000, [](Random& r) { return normal(r) + 0.5; });
  EXPECT_EQ(half.runs, 40);
  EXPECT_LT(half.mean_rows, 250);
  const Found fifth = watch(20, 0, 10'000, [](Random& r) { return normal(r) + 0.2; });
  EXPECT_EQ(fifth.runs, 20);
  EXPECT_LT(fifth.mean_rows, 1'500);
  const Found wider = watch(20, 0, 20'000, [](Random& r) { return normal(r) * 1.25; });
  EXPECT_EQ(wider.runs, 20);
  EXPECT_EQ(watch(30, 0, 20'000, [](Random& r) { return normal(r) + 0.03; }).runs, 0);
}

TEST(ColumnWatch, NothingChangedGivesNoAlarmHoweverOftenOneLooks) {
  EXPECT_LE(watch(100, 10'000, 0, normal).runs, 2);
}

TEST(ColumnWatch, TellsSinceWhenAfterALongCalm) {
  const Found got = watch(20, 20'000, 5'000, [](Random& r) { return normal(r) + 0.7; });
  EXPECT_EQ(got.runs, 20);
  EXPECT_LT(got.mean_rows, 600);
  EXPECT_LT(got.since_error, 150);
}

TEST(ColumnWatch, WatchesCategoriesAndThoseItNeverSaw) {
  ColumnProfile training;
  for (int i = 0; i < 4'000; ++i) training.add_text(i % 4 == 0 ? "a" : "b");
  ColumnWatch same(training, {});
  ColumnWatch other(training, {});
  Random random(4);
  for (int i = 0; i < 4'000; ++i) {
    same.observe_category(category_of(hash_of_text(random.unit() < 0.25 ? "a" : "b")));
    other.observe_category(category_of(hash_of_text(random.unit() < 0.1 ? "new" : random.unit() < 0.25 ? "a" : "b")));
  }
  EXPECT_FALSE(same.alarm());
  ASSERT_TRUE(other.alarm());
  EXPECT_EQ(other.alarm()->what, "other categories");
  EXPECT_EQ(other.alarm()->training, 0);
}

TEST(ColumnWatch, OfManyCategoriesThoseThatAreNotToldApartGiveNoAlarm) {
  int alarms = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    ColumnProfile training;
    for (int i = 0; i < 1'000; ++i) training.add_text("c" + std::to_string(random.below(100)));
    ColumnWatch watch(training, {});
    for (int i = 0; i < 5'000; ++i)
      watch.observe_category(category_of(hash_of_text("c" + std::to_string(random.below(100)))));
    alarms += watch.alarm() ? 1 : 0;
  }
  EXPECT_LE(alarms, 1);
}

TEST(ColumnWatch, AProfileWithoutSketchesWatchesNothing) {
  ColumnWatch watch_none(ColumnProfile(), {});
  watch_none.observe_number(1);
  EXPECT_FALSE(watch_none.watches());
  EXPECT_EQ(watch_none.log_e(), 0);
}

/// ADWIN (Bifet and Gavalda, "Learning from time-changing data with adaptive windowing", 2007), exact over a window of
/// at most 4,000: what the detector is compared with.
class Adwin {
 public:
  explicit Adwin(double delta) : delta_(delta) {}
  bool observe(double x) {
    window_.push_back(x);
    if (window_.size() > 4'000) window_.pop_front();
    if (++count_ % 32 != 0) return false;
    double total = 0;
    for (const double each : window_) total += each;
    const auto n = static_cast<double>(window_.size());
    const double mean = total / n;
    const double variance = mean * (1 - mean);
    double left = 0;
    for (std::size_t i = 0; i + 1 < window_.size(); ++i) {
      left += window_[i];
      const auto n0 = static_cast<double>(i + 1);
      const double n1 = n - n0;
      const double m = 1 / (1 / n0 + 1 / n1);
      const double log_term = std::log(2 * std::log(n) / delta_);
      const double cut = std::sqrt(2 / m * variance * log_term) + 2 / (3 * m) * log_term;
      if (n0 >= 10 && n1 >= 10 && (total - left) / n1 - left / n0 > cut) return true;
    }
    return false;
  }

 private:
  double delta_;
  std::deque<double> window_;
  std::uint64_t count_ = 0;
};

TEST(ErrorDetector, IsSoonerThanAdwinWhenErrorsBecomeMoreFrequentAndKeepsItsRunLength) {
  double mine = 0;
  double adwin = 0;
  int mine_late = 0;
  constexpr int kRuns = 30;
  for (std::uint64_t run = 1; run <= kRuns; ++run) {
    Random random(run);
    ErrorDetector detector(0.12, 10'000);
    Adwin reference(0.002);
    std::optional<int> found;
    std::optional<int> found_there;
    for (int i = 0; i < 8'000 && (!found || !found_there); ++i) {
      const bool error = random.unit() < (i < 3'000 ? 0.1 : 0.25);
      if (detector.observe(error) && i >= 3'000 && !found) found = i - 3'000;
      if (reference.observe(error ? 1 : 0) && i >= 3'000 && !found_there) found_there = i - 3'000;
    }
    ASSERT_TRUE(found && found_there);
    mine += *found / double{kRuns};
    adwin += *found_there / double{kRuns};
    if (*found > 400) ++mine_late;
  }
  EXPECT_LT(mine, adwin);
  EXPECT_LT(mine, 150);
  EXPECT_EQ(mine_late, 0);
}

TEST(ErrorDetector, FiresFalselyNoMoreOftenThanItsRunLengthSays) {
  Random random(11);
  ErrorDetector detector(0.1, 5'000);
  for (int i = 0; i < 500'000; ++i) detector.observe(random.unit() < 0.1);
  EXPECT_LE(detector.alarms(), 100u);
}

}  // namespace
}  // namespace backstay::drift
