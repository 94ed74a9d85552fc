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

/// A value and a number of its request (a covariate) that explains a share of it.
struct Explained {
  double covariate = 0;
  double value = 0;
};
/// What a version gives for its values on average, and how far they lie from that.
struct Level {
  double mean = 0;
  double deviation = 0;
};
/// Normal values; corr(covariate, value)^2 is `r2` in [0, 1].
Explained draw_explained_normal(Random& random, const Level& level, double r2);
/// Scores in [0, 1] of a version, as draw_score() gives them without a covariate. The covariate is the score that
/// stable is expected to give for the request, a beta variable, so it is the same whichever version answers. On stable
/// its corr^2 with the score is `r2` in [0, 1]; another version is worse in proportion: of the request's expected
/// score, or of what lacks of 1.
Explained draw_explained_score(Random& random, const Level& stable, const Level& version, double r2);

}  // namespace backstay::guardrails
