#include "domain/guardrails/information.hpp"

#include <algorithm>
#include <cmath>

namespace backstay::guardrails {

double coin_divergence(double p, double q) {
  const auto term = [](double a, double b) { return a <= 0 ? 0.0 : a * std::log(a / b); };
  return term(p, q) + term(1 - p, 1 - q);
}

double rate_information(double p1, double p0) {
  return p1 <= p0 ? 0.0 : coin_divergence(p1, p0);
}

double relative_information(double p1, double p0, double pi, double tolerance) {
  if (p1 <= tolerance * p0 || !(pi > 0 && pi < 1)) return 0.0;
  const auto away = [&](double stable) {
    return pi * coin_divergence(p1, std::min(tolerance * stable, 1 - 1e-12)) + (1 - pi) * coin_divergence(p0, stable);
  };
  // It is convex in stable's rate: golden section between what each arm says of it.
  double low = std::max(p0, 1e-12);
  double high = std::min(p1 / tolerance, 1 - 1e-12);
  constexpr double kGolden = 0.6180339887498949;
  for (int i = 0; i < 100; ++i) {
    const double a = high - kGolden * (high - low);
    const double b = low + kGolden * (high - low);
    if (away(a) < away(b)) {
      high = b;
    } else {
      low = a;
    }
  }
  return away((low + high) / 2) / pi;
}

}  // namespace backstay::guardrails
