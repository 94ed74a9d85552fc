#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>

#include "domain/guardrails/spending.hpp"

/// Anytime-valid tests of means. All allocate nothing and are plain copyable values. Not thread-safe.
///
/// Sources: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2023); Delyon,
/// "Exponential inequalities for sums of weakly dependent variables" (2009), as in Howard, Ramdas, McAuliffe, Sekhon,
/// "Time-uniform Chernoff bounds via nonnegative supermartingales" (2020), lemma 3(f).
namespace backstay::guardrails {

/// H0: E[score | past] >= m for scores in [0, 1] (a safety score, an agreement). Betting with a predictable plug-in
/// bet: K *= 1 + lambda (X - m'), X = 1 - score, m' = 1 - m, lambda = (mu - m')/(sd^2 + (mu - m')^2) clipped to
/// [0, 1/(2 m')], mu and sd^2 lagged by one. What they are estimated from fades by half at each restart, so that a long
/// healthy past doesn't hide that the mean has fallen.
class BoundedMeanTest {
 public:
  /// `at_least` in (0, 1).
  explicit BoundedMeanTest(double at_least, const RestartPlan& restarts = {})
      : limit_(1.0 - at_least), capital_(restarts) {}
  void observe(double score);
  void restart();
  double log_e() const;
  std::uint64_t count() const { return count_; }
  double mean() const { return count_ == 0 ? 0.0 : 1.0 - total_ / static_cast<double>(count_); }

 private:
  double limit_;
  Capitals<1> capital_;
  double product_ = 1;     ///< Of the factors that are not in capital_ yet: a logarithm for many, not for each.
  double remembered_ = 0;  ///< Outcomes that sum_ and squares_ are of.
  double sum_ = 0;
  double squares_ = 0;  ///< Of X minus the mean before it.
  double total_ = 0;
  std::uint64_t count_ = 0;
};

/// H0: the candidate's mean loss is at most stable's plus `margin`, losses in [0, 1], both drifting together as they
/// like. z = (Y - c)(A/pi - (1-A)/(1-pi)) - margin, c the lagged mean of all losses, so that E z = mu1 - mu0 - margin;
/// K_j *= 1 + f_j lambda_max z over f in {.05, .1, .2, .4, .8}, lambda_max = 1/(max(c/pi, (1-c)/(1-pi)) + margin).
/// Assumes that the draw was independent of the loss and pi known before it. c may be anything in [0, 1] that was known
/// before the draw: what a covariate of the request lets one expect of the loss makes z vary less, and E z is the same.
class RelativeMeanTest {
 public:
  explicit RelativeMeanTest(double margin = 0.0, const RestartPlan& restarts = {})
      : margin_(margin), capitals_(restarts) {}
  /// `pi` outside of (0, 1) tells nothing and is ignored. `shift`: how far from the mean of all the loss was to be
  /// expected, by Cuped.
  void observe(bool candidate, double pi, double loss, double shift = 0);
  void restart() { capitals_.restart(); }
  double log_e() const { return capitals_.log_e(); }

 private:
  double margin_;
  Capitals<5> capitals_;
  double sum_ = 0;
  double count_ = 0;
};

/// H0: the mean of (candidate's loss - stable's loss) over pairs is at most `margin`, losses in [0, 1]. For a shadow
/// step: both versions answer the same request, which takes the requests' own variation out.
/// K_j *= 1 + f_j (d - margin)/(1 + margin), f in {.05, .1, .2, .4, .8}.
class PairedMeanTest {
 public:
  explicit PairedMeanTest(double margin = 0.0, const RestartPlan& restarts = {})
      : margin_(margin), capitals_(restarts) {}
  void observe(double candidate_loss, double stable_loss);
  void restart() { capitals_.restart(); }
  double log_e() const { return capitals_.log_e(); }

 private:
  double margin_;
  Capitals<5> capitals_;
};

/// Pairs each outcome of the arm that is rarer at the moment with the mean of those of the other arm since the last
/// pair: a difference of neighbours, whatever the level does from hour to hour. Costs next to no precision when one arm
/// is much rarer (variance 1 + E[1/n] instead of 1 + pi/(1-pi)).
class Neighbours {
 public:
  struct Difference {
    double value;  ///< Candidate's mean minus stable's.
    double scale;  ///< Its variance is that of one outcome times this: 1/n1 + 1/n0.
  };
  std::optional<Difference> add(bool candidate, double value) {
    Arm& arm = candidate ? candidate_ : stable_;
    arm.sum += value;
    arm.count += 1;
    if (candidate_.count == 0 || stable_.count == 0) return std::nullopt;
    const Difference out{candidate_.sum / candidate_.count - stable_.sum / stable_.count,
                         1 / candidate_.count + 1 / stable_.count};
    candidate_ = stable_ = {};
    return out;
  }

 private:
  struct Arm {
    double sum = 0;
    double count = 0;
  };
  Arm candidate_, stable_;
};

/// H0: differences with E[d | past] <= 0, whose variance is at most scale sigma^2 (sub-Gaussian with sigma or not: no
/// more than the variance is used). With lambda_j = delta_j / (sigma scale):
///     L_j += lambda_j d - lambda_j^2 (d^2 + 2 sigma^2 scale) / 6
/// delta in {.05, .1, .2, .4, .8} standard deviations. Exact when sigma is a bound that was known before; with an
/// estimate from the past it holds asymptotically.
class FiniteVarianceTest {
 public:
  explicit FiniteVarianceTest(const RestartPlan& restarts = {}) : capitals_(restarts) {}
  /// `sigma` above zero, known before `difference`.
  void observe(const Neighbours::Difference& difference, double sigma);
  void restart() { capitals_.restart(); }
  double log_e() const { return capitals_.log_e(); }

 private:
  Capitals<5> capitals_;
};

/// One-sided normal mixture (Robbins): E = 2 sqrt(rho/(v+rho)) exp(s^2/(2(v+rho))) Phi(s/sqrt(v+rho)), for a sum `s` of
/// increments that are sub-Gaussian with variances that add up to `v`; both in the units of the value and their square.
/// For planning: s where E reaches 1/alpha bounds what a fixed-time analysis would have to see.
double log_normal_mixture(double s, double v, double rho);
/// The rho for which the bound is tightest at `v_opt`.
double best_rho(double v_opt, double alpha);

}  // namespace backstay::guardrails
