#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

/// What the e-processes of this folder share: a mixture over a grid of bets in logarithms, and restarts.
namespace backstay::guardrails {

/// ln of the sum of exp(values).
double log_sum_exp(const double* values, std::size_t count);
/// ln of their mean.
double log_mean_exp(const double* values, std::size_t count);
/// ln(exp(a) + exp(b)); either may be -infinity.
double log_add(double a, double b);

/// How a test's capital of 1 is divided among a process that begins with the first outcome and processes that begin
/// later. A process loses capital while the version is healthy and has to win it back when the version breaks late (the
/// shared cache that fills up, the batch job at midnight); one that begins later does not. Any division that sums to at
/// most 1 and start times that don't look ahead keep the lifetime chance of a false alarm at alpha:
///
///     S_j = (S_j + w_m) f_j at the m-th restart, E = mean_j S_j + what is not spent yet
///
/// w_0 = `first`, w_m = (1 - first) / (m (m + 1)). With 0.95 a version that is broken from the start is found 1% later,
/// one that breaks after 10,000 healthy outcomes 4 to 16 times sooner (docs/statistics.md).
/// Source: restarts as a mixture over change times, Shin, Ramdas, Rinaldo, "E-detectors" (2023).
struct RestartPlan {
  double first = 1.0;       ///< In (0, 1]; 1: no restarts.
  std::uint64_t every = 0;  ///< Candidate outcomes between two restarts; 0: no restarts.
  bool operator==(const RestartPlan&) const = default;
};
inline constexpr RestartPlan kUsualRestarts{0.95, 1'000};

/// No breach is waited for.
inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// The capitals of a grid of bets. A plain value, allocates nothing. Not thread-safe.
template <std::size_t N>
class Capitals {
 public:
  using Grid = std::array<double, N>;

  /// `shares`: of the capital at a start, in proportion; they need not sum to 1.
  explicit Capitals(const RestartPlan& plan = {}, const Grid& shares = equal_shares())
      : reserve_(plan.every == 0 ? 0.0 : 1.0 - plan.first) {
    first_reserve_ = reserve_;
    double sum = 0;
    for (const double share : shares) sum += share;
    for (std::size_t j = 0; j < N; ++j) {
      log_shares_[j] = std::log(shares[j] / sum);
      logs_[j] = std::log(1.0 - reserve_) + log_shares_[j];
    }
  }
  void multiply(std::size_t j, double log_factor) { logs_[j] += log_factor; }

  /// An outcome that is a hit or a miss, at the factors exp(if_hit) > 1 and exp(if_missed) < 1 whose means are at most
  /// 1 under the null hypothesis. Nobody looks at what a breach is above its limit, so no more is bet than a hit needs
  /// to get there: the rest of the capital is held back, and a miss then costs less. A bet on part of the capital is as
  /// fair as one on all of it. Finds what is worse up to a tenth sooner at the same chance of a false alarm.
  /// `log_limit`: ln(1/alpha). Source: Fischer and Ramdas, "Improving Wald's (approximate) sequential probability ratio
  /// test by avoiding overshoot" (2024).
  void bet(const Grid& if_hit, const Grid& if_missed, bool hit, double log_limit) {
    const Grid& steps = hit ? if_hit : if_missed;
    const double share = could_reach(if_hit, log_limit) ? share_to_reach(if_hit, log_limit) : 1.0;
    for (std::size_t j = 0; j < N; ++j) logs_[j] += share == 1.0 ? steps[j] : std::log1p(share * std::expm1(steps[j]));
  }
  /// False: a hit is sure not to reach the limit. Cheap.
  bool could_reach(const Grid& if_hit, double log_limit) const {
    double greatest = logs_[0] + if_hit[0];
    for (std::size_t j = 1; j < N; ++j) greatest = std::max(greatest, logs_[j] + if_hit[j]);
    return greatest + kLogCount >= log_limit;
  }
  /// False: log_e() is below `limit` for sure. Cheap.
  bool could_be(double limit) const {
    // What is not spent yet is at most 1, whose logarithm is 0.
    return std::max(0.0, *std::max_element(logs_.begin(), logs_.end())) + kLogCount >= limit;
  }
  void restart() {
    if (reserve_ <= 0) return;
    ++restarts_;
    const auto m = static_cast<double>(restarts_);
    const double weight = first_reserve_ / (m * (m + 1));
    reserve_ = first_reserve_ / (m + 1);  // The sum of all weights that are left.
    for (std::size_t j = 0; j < N; ++j) logs_[j] = log_add(logs_[j], std::log(weight) + log_shares_[j]);
  }
  double log_e() const {
    const double spent = log_sum_exp(logs_.data(), N);
    return reserve_ <= 0 ? spent : log_add(spent, std::log(reserve_));
  }

 private:
  static constexpr double kBeyond = 1 + 1e-9;  ///< So that rounding doesn't keep a hit from its limit.
  inline static const double kLogCount = std::log(static_cast<double>(N + 1));  ///< The grid's and the reserve's.

  static constexpr Grid equal_shares() {
    Grid shares{};
    shares.fill(1.0);
    return shares;
  }
  /// What part of the capital takes a hit to the limit; all of it when that is not enough or it is there already.
  double share_to_reach(const Grid& if_hit, double log_limit) const {
    double now = reserve_ <= 0 ? 0.0 : std::exp(std::log(reserve_) - log_limit);
    double after = now;
    for (std::size_t j = 0; j < N; ++j) {
      const double capital = std::exp(logs_[j] - log_limit);
      now += capital;
      after += capital * std::exp(if_hit[j]);
    }
    return now < 1 && after > kBeyond ? (kBeyond - now) / (after - now) : 1.0;
  }

  Grid logs_{};
  Grid log_shares_{};
  double first_reserve_ = 0;
  double reserve_ = 0;
  std::uint64_t restarts_ = 0;
};

}  // namespace backstay::guardrails
