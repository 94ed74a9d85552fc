#include "domain/guardrails/draws.hpp"

#include <cmath>

namespace backstay::guardrails {

namespace {
constexpr double kTwoPi = 6.283185307179586;
}  // namespace

double draw_normal(Random& random) {
  const double radius = std::sqrt(-2 * std::log1p(-random.unit()));
  return radius * std::cos(kTwoPi * random.unit());
}

double draw_lognormal(Random& random, double median, double sigma) {
  return median * std::exp(sigma * draw_normal(random));
}

double draw_exponential(Random& random, double mean) {
  return -mean * std::log1p(-random.unit());
}

double draw_gamma(Random& random, double shape) {
  if (shape < 1) return draw_gamma(random, shape + 1) * std::pow(random.unit(), 1 / shape);
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = draw_normal(random);
    const double v = std::pow(1 + c * x, 3);
    if (v <= 0) continue;
    if (std::log1p(-random.unit()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double draw_score(Random& random, double mean, double deviation) {
  if (mean <= 0 || mean >= 1) return mean <= 0 ? 0.0 : 1.0;
  if (deviation <= 0) return mean;
  // Beta(m n, (1-m) n) has the variance m (1-m) / (n + 1).
  const double n = mean * (1 - mean) / (deviation * deviation) - 1;
  if (n <= 0.01) return random.unit() < mean ? 1.0 : 0.0;
  const double a = draw_gamma(random, mean * n);
  const double b = draw_gamma(random, (1 - mean) * n);
  return a + b > 0 ? a / (a + b) : mean;
}

}  // namespace backstay::guardrails
