#pragma once

#include "base/random.hpp"

/// Random values of given distributions, for forecasts and simulations: the same for the same seed. Not thread-safe.
namespace backstay::guardrails {

double draw_normal(Random& random);
/// A duration whose logarithm is normal: `median` is its middle, `sigma` the logarithm's standard deviation.
double draw_lognormal(Random& random, double median, double sigma);
double draw_exponential(Random& random, double mean);
/// Marsaglia and Tsang (2000); `shape` above zero, scale 1.
double draw_gamma(Random& random, double shape);
/// A score in [0, 1] with this mean, and with this standard deviation as far as there is such a score: 0 and 1 alone
/// are the widest.
double draw_score(Random& random, double mean, double deviation);

}  // namespace backstay::guardrails
