#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "domain/guardrails/rate_tests.hpp"

namespace backstay::guardrails {

/// Quantiles of positive values within 1% of their size, in fixed memory: DDSketch (Masson, Rim, Lee, 2019) with bins
/// from 1 microsecond to an hour. Values outside are counted at the ends.
class LatencySketch {
 public:
  void add(double seconds);
  /// `q` in [0, 1]; 0 when empty.
  double quantile(double q) const;
  std::uint64_t count() const { return count_; }

 private:
  static constexpr std::size_t kBins = 1104;
  std::array<std::uint32_t, kBins> bins_{};
  std::uint64_t count_ = 0;
};

/// H0: no more than `tolerance` times as many of the candidate's answers as of stable's are slower than stable's p90,
/// p95 and p99 so far plus `slack_seconds`. Each quantile is a RelativeRateTest on the indicator "slower than that"; E
/// is their average. The slack keeps a candidate from being blamed for what its small share costs it: a process that is
/// asked twenty times less often wakes up and refills its caches for each request, a fraction of a millisecond that no
/// client minds. Any threshold that is known before the outcome is valid, so the slack costs nothing but power.
/// kFor: evidence that at none of the three is it `tolerance` times as often slower: E is the least of the three.
class RelativeLatencyTest {
 public:
  explicit RelativeLatencyTest(double tolerance = 1.0, double slack_seconds = 0.0, const RestartPlan& restarts = {},
                               Direction direction = Direction::kAgainst, double log_limit = kNoLimit)
      : slack_seconds_(slack_seconds), direction_(direction) {
    tests_.fill(RelativeRateTest(tolerance, restarts, direction));
    set_limit(log_limit);
  }
  void set_limit(double log_limit) {
    // One of the three alone takes their average to the limit when it is three times as high.
    const double each = log_limit + std::log(static_cast<double>(kQuantiles.size()));
    for (RelativeRateTest& test : tests_) test.set_limit(each);
  }
  /// `bets`: this outcome may count as evidence (it is not the second of its cluster); stable's sketch learns anyway.
  void observe(bool candidate, double pi, double seconds, bool bets = true);
  void restart() {
    for (RelativeRateTest& test : tests_) test.restart();
  }
  double log_e() const;

 private:
  static constexpr std::uint64_t kWarmUp = 200;  ///< Stable answers before the quantiles mean something.
  static constexpr std::uint64_t kRefresh = 64;  ///< Stable answers between two looks at the sketch.
  static constexpr std::array<double, 3> kQuantiles{0.90, 0.95, 0.99};
  double slack_seconds_;
  Direction direction_;
  LatencySketch stable_;
  std::array<double, 3> thresholds_{};
  std::array<RelativeRateTest, 3> tests_;
};

}  // namespace backstay::guardrails
