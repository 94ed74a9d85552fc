#include "domain/guardrails/draws.hpp"

#include <algorithm>
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

Explained draw_explained_normal(Random& random, const Level& level, double r2) {
  const double covariate = draw_normal(random);
  const double of_its_own = draw_normal(random);
  return {covariate, level.mean + level.deviation * (std::sqrt(r2) * covariate + std::sqrt(1 - r2) * of_its_own)};
}

// Two draws: the expected score p of the request, and the score, whose variance around p is proportional to p (1 - p).
// With E[score | p] = p the share of the variance that p explains is Var(p) / Var(score). E[p (1 - p)] = m (1 - m) -
// Var(p) tells how much is left for the second draw.
Explained draw_explained_score(Random& random, const Level& stable, const Level& version, double r2) {
  const auto widest = [](double mean) { return mean * (1 - mean); };
  const double explained = r2 * std::min(stable.deviation * stable.deviation, widest(stable.mean));
  const double expected = draw_score(random, stable.mean, std::sqrt(explained));
  const bool lower = version.mean <= stable.mean;
  const double from = lower ? stable.mean : 1 - stable.mean;
  const double to = lower ? version.mean : 1 - version.mean;
  const double ratio = from > 0 ? to / from : 1;
  const double p = lower ? expected * ratio : 1 - (1 - expected) * ratio;
  const double between = explained * ratio * ratio;
  const double within = std::min(version.deviation * version.deviation, widest(version.mean)) - between;
  const double room = widest(version.mean) - between;
  const double share = room > 0 ? std::clamp(within / room, 0.0, 1.0) : 0;
  // What explains nothing is still a number of the request, which the test has to learn that of.
  const double covariate = explained > 0 ? expected : draw_normal(random);
  return {covariate, draw_score(random, p, std::sqrt(share * widest(p)))};
}

}  // namespace backstay::guardrails
