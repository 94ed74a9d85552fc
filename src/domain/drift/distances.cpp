#include "domain/drift/distances.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace backstay::drift {

namespace {

// What a stored profile and a file of rows have at most while both are exact.
constexpr double kExactCells = 4'096.0 * 8'192;
// Beyond it chances are below 1e-13, and neither way of telling them matters.
constexpr double kFarOut = 4;

double total(std::span<const double> counts) {
  return std::accumulate(counts.begin(), counts.end(), 0.0);
}

double weight_of(std::span<const Weighted> sample) {
  double out = 0;
  for (const Weighted& each : sample) out += each.weight;
  return out;
}

/// Calls step(value, next value, F, G) at every place where one of the two distribution functions steps.
template <class Step>
void walk(std::span<const Weighted> a, std::span<const Weighted> b, Step step) {
  const double n = weight_of(a);
  const double m = weight_of(b);
  if (n <= 0 || m <= 0) return;
  double below_a = 0;
  double below_b = 0;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    const double value = j == b.size() || (i < a.size() && a[i].value <= b[j].value) ? a[i].value : b[j].value;
    for (; i < a.size() && a[i].value <= value; ++i) below_a += a[i].weight;
    for (; j < b.size() && b[j].value <= value; ++j) below_b += b[j].weight;
    double next = value;
    if (i < a.size()) next = a[i].value;
    if (j < b.size()) next = i < a.size() ? std::min(next, b[j].value) : b[j].value;
    step(value, next, below_a / n, below_b / m);
  }
}

// Q(a, x) by a series for small x, a continued fraction (Lentz) else.
double gamma_q(double a, double x) {
  if (x <= 0) return 1;
  const double front = std::exp(a * std::log(x) - x - std::lgamma(a));
  constexpr int kSteps = 10'000;
  constexpr double kEnough = 1e-16;
  if (x < a + 1) {
    double term = 1 / a;
    double sum = term;
    for (int n = 1; n < kSteps && std::abs(term) > std::abs(sum) * kEnough; ++n) {
      term *= x / (a + n);
      sum += term;
    }
    return std::clamp(1 - sum * front, 0.0, 1.0);
  }
  constexpr double kTiny = 1e-300;
  double b = x + 1 - a;
  double c = 1 / kTiny;
  double d = 1 / b;
  double h = d;
  for (int i = 1; i < kSteps; ++i) {
    const double an = -i * (i - a);
    b += 2;
    d = an * d + b;
    if (std::abs(d) < kTiny) d = kTiny;
    c = b + an / c;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1 / d;
    const double factor = d * c;
    h *= factor;
    if (std::abs(factor - 1) < kEnough) break;
  }
  return std::clamp(front * h, 0.0, 1.0);
}

}  // namespace

double psi(std::span<const double> a, std::span<const double> b, double least) {
  const double n = total(a);
  const double m = total(b);
  if (n <= 0 || m <= 0) return 0;
  double out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == 0 && b[i] == 0) continue;
    const double p = std::max(a[i] / n, least);
    const double q = std::max(b[i] / m, least);
    out += (p - q) * std::log(p / q);
  }
  return out;
}

double jensen_shannon(std::span<const double> a, std::span<const double> b) {
  const double n = total(a);
  const double m = total(b);
  if (n <= 0 || m <= 0) return 0;
  double out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double p = a[i] / n;
    const double q = b[i] / m;
    const double middle = (p + q) / 2;
    if (p > 0) out += p * std::log(p / middle) / 2;
    if (q > 0) out += q * std::log(q / middle) / 2;
  }
  return std::sqrt(std::max(out, 0.0));
}

double wasserstein(std::span<const Weighted> a, std::span<const Weighted> b) {
  double out = 0;
  walk(a, b, [&](double value, double next, double f, double g) { out += (next - value) * std::abs(f - g); });
  return out;
}

double kolmogorov_smirnov(std::span<const Weighted> a, std::span<const Weighted> b) {
  double out = 0;
  walk(a, b, [&](double, double, double f, double g) { out = std::max(out, std::abs(f - g)); });
  return out;
}

TestResult chi_squared_fit(std::span<const double> observed, std::span<const double> expected) {
  const double n = total(observed);
  const double m = total(expected);
  TestResult out;
  if (n <= 0 || m <= 0) return out;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    if (expected[i] <= 0) continue;
    const double due = expected[i] / m * n;
    out.statistic += (observed[i] - due) * (observed[i] - due) / due;
    out.degrees += 1;
  }
  out.degrees -= 1;
  if (out.degrees > 0) out.p_value = chi_squared_tail(out.statistic, out.degrees);
  return out;
}

namespace {

/// Of the statistic's distribution over all ways to share out the rows, with the exact mean and variance: Dawson, "A
/// simple expression for the variance of chi-squared on a contingency table" (1954); a gamma distribution with these.
double few_rows_tail(double statistic, double bins, double sum_of_inverses, double n, double m) {
  const double all = n + m;
  if (all <= 3 || bins < 2) return 1;
  const double mean = all * (bins - 1) / (all - 1);
  const double rows = (all - 2) / (all - 1);
  const double columns = (bins - 1) * (all - bins) / (all - 1);
  const double row_spread = (all * (1 / n + 1 / m) - 4) / (all - 2);
  const double column_spread = (all * sum_of_inverses - bins * bins) / (all - 2);
  const double variance = 2 * all / (all - 3) * (rows - row_spread) * (columns - column_spread) +
                          all * all / (all - 1) * row_spread * column_spread;
  if (!(variance > 0)) return 1;
  return chi_squared_tail(2 * statistic * mean / variance, 2 * mean * mean / variance);
}

}  // namespace

TestResult chi_squared(std::span<const double> a, std::span<const double> b) {
  constexpr double kEnoughExpected = 5;
  const double n = total(a);
  const double m = total(b);
  TestResult out;
  if (n <= 0 || m <= 0) return out;
  double least_due = kEnoughExpected;
  double sum_of_inverses = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double both = a[i] + b[i];
    if (both <= 0) continue;
    const double due_a = both * n / (n + m);
    const double due_b = both * m / (n + m);
    out.statistic += (a[i] - due_a) * (a[i] - due_a) / due_a + (b[i] - due_b) * (b[i] - due_b) / due_b;
    out.degrees += 1;
    least_due = std::min({least_due, due_a, due_b});
    sum_of_inverses += 1 / both;
  }
  out.degrees -= 1;
  if (out.degrees <= 0) return out;
  out.p_value = least_due < kEnoughExpected ? few_rows_tail(out.statistic, out.degrees + 1, sum_of_inverses, n, m)
                                            : chi_squared_tail(out.statistic, out.degrees);
  return out;
}

TestResult psi_test(std::span<const double> a, std::span<const double> b) {
  const double n = total(a);
  const double m = total(b);
  TestResult out;
  if (n <= 0 || m <= 0) return out;
  out.statistic = psi(a, b);
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] > 0 || b[i] > 0) out.degrees += 1;
  out.degrees -= 1;
  if (out.degrees > 0) out.p_value = chi_squared_tail(out.statistic / (1 / n + 1 / m), out.degrees);
  return out;
}

double ks_p_value(double d, double n, double m) {
  if (!(n >= 1 && m >= 1) || d <= 0) return 1;
  const double root = std::sqrt(n * m / (n + m));
  if (n * m > kExactCells || n != std::floor(n) || m != std::floor(m) || root * d > kFarOut)
    return kolmogorov_tail((root + 0.12 + 0.11 / root) * d);
  // All orders of n + m rows are equally likely; inside[j] is the chance to be at (i, j) without having left the band.
  const auto rows = static_cast<std::size_t>(n);
  const auto columns = static_cast<std::size_t>(m);
  const double limit = (d - 1e-12) * n * m;
  std::vector<double> inside(columns + 1, 0.0);
  std::vector<double> chance(rows + columns + 1, 0.0);  // Of one of the rows that are left, by how many were taken.
  for (std::size_t taken = 1; taken < chance.size(); ++taken)
    chance[taken] = 1 / (n + m - static_cast<double>(taken) + 1);
  for (std::size_t i = 0; i <= rows; ++i) {
    // Only what is near the diagonal can be inside; what is left of it was, one row above.
    const double middle = static_cast<double>(i) / n * m;
    const auto first = static_cast<std::size_t>(std::max(0.0, std::floor(middle - d * m) - 1));
    const auto last = std::min(columns, static_cast<std::size_t>(std::ceil(middle + d * m) + 1));
    if (first > 0) inside[first - 1] = 0;
    for (std::size_t j = first; j <= last; ++j) {
      const auto at = static_cast<double>(i);
      const auto over = static_cast<double>(j);
      if (i == 0 && j == 0) {
        inside[0] = 1;
        continue;
      }
      const double from_above = i > 0 ? inside[j] * (n - at + 1) : 0;
      const double from_left = j > 0 ? inside[j - 1] * (m - over + 1) : 0;
      inside[j] = std::abs(at * m - over * n) >= limit ? 0.0 : (from_above + from_left) * chance[i + j];
    }
  }
  return std::clamp(1 - inside[columns], 0.0, 1.0);
}

double kolmogorov_tail(double x) {
  if (x <= 0) return 1;
  if (x < 1) {
    // Theta's other series, which converges here.
    const double front = std::sqrt(2 * M_PI) / x;
    double sum = 0;
    for (int k = 1; k <= 20; k += 2) sum += std::exp(-k * k * M_PI * M_PI / (8 * x * x));
    return std::clamp(1 - front * sum, 0.0, 1.0);
  }
  double sum = 0;
  for (int k = 1; k <= 20; ++k) sum += (k % 2 == 1 ? 2 : -2) * std::exp(-2.0 * k * k * x * x);
  return std::clamp(sum, 0.0, 1.0);
}

double two_shares_p_value(double hits_a, double n, double hits_b, double m) {
  if (n <= 0 || m <= 0) return 1;
  const double pooled = (hits_a + hits_b) / (n + m);
  if (pooled <= 0 || pooled >= 1) return 1;
  const double correction = (1 / n + 1 / m) / 2;
  const double difference = std::max(0.0, std::abs(hits_a / n - hits_b / m) - correction);
  return std::erfc(difference / std::sqrt(2 * pooled * (1 - pooled) * (1 / n + 1 / m)));
}

double chi_squared_tail(double x, double degrees) {
  return gamma_q(degrees / 2, x / 2);
}

std::vector<double> benjamini_hochberg(std::span<const double> given, std::span<const double> weights) {
  std::vector<double> p_values(given.begin(), given.end());
  for (std::size_t i = 0; i < weights.size(); ++i) p_values[i] = std::min(1.0, p_values[i] / weights[i]);
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> out(p_values.size(), 1.0);
  double least = 1;
  for (std::size_t i = order.size(); i > 0; --i) {
    const double adjusted = p_values[order[i - 1]] * static_cast<double>(order.size()) / static_cast<double>(i);
    least = std::min(least, adjusted);
    out[order[i - 1]] = least;
  }
  return out;
}

}  // namespace backstay::drift
