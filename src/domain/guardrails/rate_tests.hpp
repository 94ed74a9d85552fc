#pragma once

#include <array>
#include <cstdint>

/// Anytime-valid tests (e-processes): non-negative, started at 1, supermartingales while the null hypothesis holds, so
/// by Ville's inequality P(E ever reaches 1/alpha) <= alpha however often one looks. All work in logarithms, mix over a
/// grid of alternatives, allocate nothing and are plain copyable values. Not thread-safe.
///
/// Sources: Ramdas, Grunwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid inference" (2023);
/// Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2023).
namespace backstay::guardrails {

/// ln of the mean of exp(values).
double log_mean_exp(const double* values, std::size_t count);

/// H0: P(bad | past) <= p0. Outcomes need be neither independent nor identically distributed.
/// E = mean_j prod (q_j/p0 | (1-q_j)/(1-p0)), odds(q_j) = r_j odds(p0), r in {1.25, 1.5, 2, 3, 5, 10}. Depends on the
/// counts only, so observing is one increment.
class AbsoluteRateTest {
 public:
  /// `p0` in (0, 1).
  explicit AbsoluteRateTest(double p0);
  void observe(bool bad) { ++(bad ? bad_ : good_); }
  double log_e() const;
  std::uint64_t bad() const { return bad_; }
  std::uint64_t count() const { return bad_ + good_; }

 private:
  static constexpr std::size_t kGrid = 6;
  std::array<double, kGrid> bad_step_{};
  std::array<double, kGrid> good_step_{};
  std::uint64_t bad_ = 0;
  std::uint64_t good_ = 0;
};

/// H0: the candidate's bad rate is at most `tolerance` times stable's, whatever that is and however it drifts. Only bad
/// outcomes are told: under H0 each came from the candidate with probability at most pi' = t pi / (t pi + 1 - pi), pi
/// being the chance its request had of going to the candidate. L_j += A ln r_j - ln(pi' r_j + 1 - pi'), r in
/// {1.25, 1.5, 2, 3, 5, 10, 20}.
class RelativeRateTest {
 public:
  explicit RelativeRateTest(double tolerance = 1.0) : tolerance_(tolerance) {}
  /// `pi` outside of (0, 1) tells nothing and is ignored.
  void observe_bad(bool candidate, double pi);
  double log_e() const { return log_mean_exp(logs_.data(), logs_.size()); }

 private:
  std::array<double, 7> logs_{};
  double tolerance_;
};

/// H0: E[score | past] >= m for scores in [0, 1] (a safety score, an agreement). Betting with a predictable plug-in
/// bet: K *= 1 + lambda (X - (1 - m)), X = 1 - score, lambda = (mu - m')/(sd^2 + (mu - m')^2) clipped to [0, 1/(2 m')],
/// mu and sd^2 lagged by one.
class BoundedMeanTest {
 public:
  /// `at_least` in (0, 1).
  explicit BoundedMeanTest(double at_least) : limit_(1.0 - at_least) {}
  void observe(double score);
  double log_e() const { return log_capital_; }
  std::uint64_t count() const { return count_; }
  double mean() const { return count_ == 0 ? 0.0 : 1.0 - sum_ / static_cast<double>(count_); }

 private:
  double limit_;
  double log_capital_ = 0;
  double sum_ = 0;
  double squares_ = 0;  ///< Of X minus the mean before it.
  std::uint64_t count_ = 0;
};

}  // namespace backstay::guardrails
