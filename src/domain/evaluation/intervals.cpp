#include "domain/evaluation/intervals.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.hpp"

namespace backstay::evaluation {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::uint64_t kSeed = 0x6261636b73746179;  // Any; fixed, so that an evaluation can be repeated.

double continued_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double h = d;
  for (int m = 1; m <= 100'000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    h *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    h *= d * c;
    if (std::abs(d * c - 1) < 1e-16) break;
  }
  return h;
}

template <class Below>
double bisect(double low, double high, const Below& is_below) {
  for (int i = 0; i < 200; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (is_below(middle) ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> shuffled(std::span<const double> values) {
  std::vector<double> out(values.begin(), values.end());
  Random random(kSeed);
  for (std::size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[random.below(i)]);
  return out;
}

/// Bets before each value, from the values before it: sqrt(2 ln(2 / alpha) / (n variance)).
std::vector<double> bets_for(const std::vector<double>& values, double alpha) {
  std::vector<double> bets;
  bets.reserve(values.size());
  const double numerator = 2 * std::log(2 / alpha) / static_cast<double>(values.size());
  double sum = 0.5;
  double squares = 0.25;
  double count = 1;
  for (const double value : values) {
    bets.push_back(std::sqrt(numerator / (squares / count)));
    count += 1;
    sum += value;
    const double mean = sum / count;
    squares += (value - mean) * (value - mean);
  }
  return bets;
}

/// Whether the capital of betting that the mean is above (`up`) or below m reaches 2 / alpha.
bool refutes(const std::vector<double>& values, const std::vector<double>& bets, double m, bool up, double target) {
  constexpr double kMost = 0.75;  // Of what could be lost.
  double log_capital = 0;
  double most = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double bet = std::min(bets[i], kMost / (up ? m : 1 - m));
    log_capital += std::log1p(up ? bet * (values[i] - m) : -bet * (values[i] - m));
    most = std::max(most, log_capital);
  }
  return most >= target;
}

}  // namespace

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double log_front = std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  if (x < (a + 1) / (a + b + 2)) return std::exp(log_front) * continued_fraction(a, b, x) / a;
  return 1 - std::exp(log_front) * continued_fraction(b, a, 1 - x) / b;
}

double beta_quantile(double a, double b, double p) {
  return bisect(0, 1, [&](double x) { return incomplete_beta(a, b, x) < p; });
}

double student_t_quantile(double degrees, double p) {
  const double tail = 2 * std::min(p, 1 - p);
  const double x = beta_quantile(degrees / 2, 0.5, tail);
  const double t = std::sqrt(degrees * (1 - x) / x);
  return p < 0.5 ? -t : t;
}

Interval clopper_pearson(std::uint64_t successes, std::uint64_t trials, double confidence) {
  if (trials == 0) return {};
  const double tail = (1 - confidence) / 2;
  const auto k = static_cast<double>(successes);
  const auto n = static_cast<double>(trials);
  Interval limits;
  if (successes > 0) limits.lower = beta_quantile(k, n - k + 1, tail);
  if (successes < trials) limits.upper = beta_quantile(k + 1, n - k, 1 - tail);
  return limits;
}

Interval bounded_mean(std::span<const double> values, double confidence) {
  if (values.empty()) return {};
  const double alpha = 1 - confidence;
  const std::vector<double> order = shuffled(values);
  const std::vector<double> bets = bets_for(order, alpha);
  const double target = std::log(2 / alpha);
  const double mean = mean_of(order);
  // Each capital is monotone in m, so that what it refutes is everything on one side of a limit.
  const double lower = bisect(0, mean, [&](double m) { return refutes(order, bets, m, true, target); });
  const double upper = bisect(mean, 1, [&](double m) { return !refutes(order, bets, m, false, target); });
  constexpr double kNothing = 1e-12;  // Where bisection ends when nothing is refuted.
  return {lower < kNothing ? 0 : std::min(lower, mean), upper > 1 - kNothing ? 1 : std::max(upper, mean)};
}

Interval student_mean(std::span<const double> values, double confidence) {
  if (values.size() < gates::kFewestForLimits) return {-kInfinity, kInfinity};
  const auto n = static_cast<double>(values.size());
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double half = student_t_quantile(n - 1, 0.5 + confidence / 2) * std::sqrt(squares / (n - 1) / n);
  return {mean - half, mean + half};
}

double quantile(std::span<const double> sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const double share = at - static_cast<double>(below);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + share * (sorted[below + 1] - sorted[below]);
}

Interval quantile_limits(std::span<const double> sorted, double q, double confidence) {
  const double tail = (1 - confidence) / 2;
  const std::size_t n = sorted.size();
  // P(fewer than k values are at most the quantile) = P(Binomial(n, q) < k) = 1 - I_q(k, n - k + 1).
  const auto fewer_than = [&](std::size_t k) {
    if (k == 0) return 0.0;
    if (k > n) return 1.0;
    return 1 - incomplete_beta(static_cast<double>(k), static_cast<double>(n - k + 1), q);
  };
  Interval limits{-kInfinity, kInfinity};
  std::size_t low = 0;  // The greatest k with fewer_than(k) <= tail.
  std::size_t high = n;
  while (low < high) {
    const std::size_t middle = low + (high - low + 1) / 2;
    if (fewer_than(middle) <= tail) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  if (low > 0) limits.lower = sorted[low - 1];
  low = 1;  // The least k with fewer_than(k) >= 1 - tail.
  high = n + 1;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (fewer_than(middle) >= 1 - tail) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low <= n) limits.upper = sorted[low - 1];
  return limits;
}

std::size_t resamples_of(std::size_t rows) {
  constexpr std::size_t kRowsInAll = 20'000'000;
  return std::clamp<std::size_t>(kRowsInAll / (rows + 1), 200, 1000);
}

Interval bootstrap(const std::vector<std::vector<std::uint32_t>>& strata, double confidence,
                   const std::function<double(const std::vector<std::uint32_t>& rows)>& statistic) {
  std::size_t size = 0;
  for (const auto& stratum : strata) size += stratum.size();
  if (size < gates::kFewestForLimits) return {-kInfinity, kInfinity};
  const std::size_t resamples = resamples_of(size);
  Random random(kSeed);
  std::vector<double> found;
  std::vector<std::uint32_t> rows;
  for (std::size_t i = 0; i < resamples; ++i) {
    rows.clear();
    for (const auto& stratum : strata)
      for (std::size_t k = 0; k < stratum.size(); ++k) rows.push_back(stratum[random.below(stratum.size())]);
    const double value = statistic(rows);
    if (std::isfinite(value)) found.push_back(value);
  }
  if (found.size() < 2) return {-kInfinity, kInfinity};
  std::sort(found.begin(), found.end());
  const double tail = (1 - confidence) / 2;
  return {quantile(found, tail), quantile(found, 1 - tail)};
}

double unseen_share(std::uint64_t rows, double confidence) {
  return clopper_pearson(0, rows, confidence).upper;
}

Interval with_unseen(double value, const Interval& sampled, const Interval& range, double unseen) {
  const double below = std::max(0.0, value - sampled.lower);
  const double above = std::max(0.0, sampled.upper - value);
  return {value - std::hypot(below, unseen * std::max(0.0, value - range.lower)),
          value + std::hypot(above, unseen * std::max(0.0, range.upper - value))};
}

}  // namespace backstay::evaluation
