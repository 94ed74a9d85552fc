#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

/// What the e-processes of this folder share: a mixture over a grid of bets in logarithms, and restarts.
namespace backstay::guardrails {

/// ln of the mean of exp(values).
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
/// w_0 = `first`, w_m = (1 - first) / (m (m + 1)). With 0.9 a version that is broken from the start is found 2% later,
/// one that breaks after 10,000 healthy outcomes 3 to 11 times sooner (docs/statistics.md).
/// Source: restarts as a mixture over change times, Shin, Ramdas, Rinaldo, "E-detectors" (2023).
struct RestartPlan {
  double first = 1.0;       ///< In (0, 1]; 1: no restarts.
  std::uint64_t every = 0;  ///< Candidate outcomes between two restarts; 0: no restarts.
  bool operator==(const RestartPlan&) const = default;
};
inline constexpr RestartPlan kUsualRestarts{0.9, 1'000};

/// The capitals of a grid of bets. A plain value, allocates nothing. Not thread-safe.
template <std::size_t N>
class Capitals {
 public:
  explicit Capitals(const RestartPlan& plan = {}) : reserve_(plan.every == 0 ? 0.0 : 1.0 - plan.first) {
    first_reserve_ = reserve_;
    logs_.fill(std::log(1.0 - reserve_));
  }
  void multiply(std::size_t j, double log_factor) { logs_[j] += log_factor; }
  void restart() {
    if (reserve_ <= 0) return;
    ++restarts_;
    const auto m = static_cast<double>(restarts_);
    const double weight = first_reserve_ / (m * (m + 1));
    reserve_ = first_reserve_ / (m + 1);  // The sum of all weights that are left.
    for (double& log_capital : logs_) log_capital = log_add(log_capital, std::log(weight));
  }
  double log_e() const {
    const double spent = log_mean_exp(logs_.data(), N);
    return reserve_ <= 0 ? spent : log_add(spent, std::log(reserve_));
  }

 private:
  std::array<double, N> logs_{};
  double first_reserve_ = 0;
  double reserve_ = 0;
  std::uint64_t restarts_ = 0;
};

}  // namespace backstay::guardrails
