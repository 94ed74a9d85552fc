#include "domain/gates/intervals.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace backstay::gates {

double normal_quantile(double p) {
  // Newton steps on the complementary error function from a start within 5e-4 (Abramowitz and Stegun 26.2.23).
  const double tail = std::min(p, 1 - p);
  const double t = std::sqrt(-2 * std::log(tail));
  double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (int i = 0; i < 4; ++i) {
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI);
    if (density < std::numeric_limits<double>::min()) break;
    z += (std::erfc(z / std::sqrt(2.0)) / 2 - tail) / density;
  }
  return p < 0.5 ? -z : z;
}

Interval wilson(double rate, std::uint64_t samples, double confidence) {
  if (samples == 0) return {};
  const double z = normal_quantile(0.5 + confidence / 2);
  const auto n = static_cast<double>(samples);
  const double middle = (rate + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(rate * (1 - rate) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

Interval newcombe(double rate_a, std::uint64_t samples_a, double rate_b, std::uint64_t samples_b, double confidence) {
  if (samples_a == 0 || samples_b == 0) return {-1, 1};
  const Interval a = wilson(rate_a, samples_a, confidence);
  const Interval b = wilson(rate_b, samples_b, confidence);
  const double difference = rate_a - rate_b;
  const double below = std::hypot(rate_a - a.lower, b.upper - rate_b);
  const double above = std::hypot(a.upper - rate_a, rate_b - b.lower);
  return {difference - below, difference + above};
}

}  // namespace backstay::gates
