#pragma once

#include <cstdint>

#include "domain/guardrails/mean_tests.hpp"

/// Tests of unbounded values and of ratios of sums against stable. Asymptotic where they estimate a variance: they say
/// nothing before kWarmUp outcomes of stable. Allocate nothing, plain copyable values. Not thread-safe.
///
/// Sources: Deng, Knoblich, Lu, "Applying the delta method in metric analytics" (2018); Deng, Xu, Kohavi, Walker,
/// "Improving the sensitivity of online controlled experiments by utilizing pre-experiment data" (2013, CUPED);
/// Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory" (2021).
namespace backstay::guardrails {

/// Mean and variance of what was added (Welford).
class Moments {
 public:
  void add(double x) {
    count_ += 1;
    const double before = x - mean_;
    mean_ += before / count_;
    squares_ += before * (x - mean_);
  }
  double count() const { return count_; }
  double mean() const { return mean_; }
  double variance() const { return count_ < 2 ? 0.0 : squares_ / (count_ - 1); }

 private:
  double count_ = 0;
  double mean_ = 0;
  double squares_ = 0;
};

/// Whether more of a value is worse (a cost, tokens per answer) or better (clicks per impression).
enum class Better : std::uint8_t { kHigher, kLower };

/// CUPED: y - theta (x - mean x), theta = Cov(y, x)/Var(x) from stable's outcomes so far (during a watch that is the
/// holdback). `x` is a covariate that the version can't have touched, such as a number in the request; the draw doesn't
/// depend on x, so the difference of the versions keeps its mean and loses corr(x, y)^2 of its variance. theta is of
/// the past, so the adjusted outcome stays a fair bet. An outcome without x is not adjusted, and nothing is before
/// kTrusted of stable's with one. Clients choose x: one that is further than kReach standard deviations from the mean
/// counts as that far, so that a few absurd ones don't drown the rest.
class Cuped {
 public:
  static constexpr double kTrusted = 30;
  static constexpr double kReach = 6;

  /// What x makes of y beyond the mean: theta (x - mean x).
  double shift(double x) const;
  /// An outcome of stable.
  void learn(double y, double x);
  /// The outcome as it counts; stable's are learnt from after that.
  double adjust(bool candidate, double y, double x);
  double theta() const;
  /// Outcomes of stable that were learnt from or had nothing to learn from.
  double seen() const { return seen_; }
  /// corr(x, y)^2 on stable: the share of the variance that is taken out.
  double explained() const;

 private:
  double within_reach(double x) const;
  Moments x_, y_;
  double co_ = 0;
  double seen_ = 0;
};

/// H0: the candidate's sum(y)/sum(x) is no worse than `tolerance` times stable's, e.g. tokens per request, clicks per
/// impression, errors per call; x = 1 makes it the test of a mean. Each unit (a request, or a user when one user makes
/// many) is linearised at stable's ratio R so far (delta method): z = y/t - R x for the candidate, y - R x for stable,
/// or their negatives with stable times t when higher is better; neighbours' differences go to a FiniteVarianceTest
/// with the larger of the two arms' variances so far. Assumes finite variances, units that are independent of the draw
/// and x of the same mean in both arms up to what R's own error is (second order). Units of y and x: any.
class RelativeRatioTest {
 public:
  static constexpr double kWarmUp = 100;  ///< Of stable, before R and the variance mean something.

  explicit RelativeRatioTest(double tolerance = 1.0, Better better = Better::kLower, const RestartPlan& restarts = {})
      : tolerance_(tolerance), better_(better), test_(restarts) {}
  void observe(bool candidate, double y, double x = 1.0);
  void restart() { test_.restart(); }
  double log_e() const { return test_.log_e(); }
  double ratio_of_stable() const { return sum_x_ == 0 ? 0.0 : sum_y_ / sum_x_; }

 private:
  double tolerance_;
  Better better_;
  FiniteVarianceTest test_;
  Neighbours neighbours_;
  Moments candidate_, stable_;  ///< Of z.
  double sum_y_ = 0, sum_x_ = 0, stable_n_ = 0;
};

/// H0: the candidate's mean is no worse than stable's by more than `margin` (units of the value). With `sigma` above
/// zero, a bound on the standard deviation that was known before, it is exact from the first outcome on; with 0 the
/// standard deviation is that of the outcomes so far and it begins after RelativeRatioTest::kWarmUp of stable. Outcomes
/// may be adjusted by Cuped: then `sigma` is 0, for no bound is known of what is left.
class RelativeValueTest {
 public:
  RelativeValueTest(double margin, double sigma, Better better, const RestartPlan& restarts = {})
      : margin_(margin), sigma_(sigma), sign_(better == Better::kLower ? 1.0 : -1.0), test_(restarts) {}
  void observe(bool candidate, double value);
  void restart() { test_.restart(); }
  double log_e() const { return test_.log_e(); }

 private:
  double margin_;
  double sigma_;
  double sign_;
  FiniteVarianceTest test_;
  Neighbours neighbours_;
  Moments candidate_, stable_;
};

}  // namespace backstay::guardrails
