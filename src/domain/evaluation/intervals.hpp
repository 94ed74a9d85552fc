#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "domain/gates/intervals.hpp"

/// Confidence limits of what an evaluation measures. All are two-sided at `confidence`.
namespace backstay::evaluation {

using gates::Interval;

/// I_x(a, b), the regularised incomplete beta function, to about 1e-14: Lentz's continued fraction
/// (Press et al., Numerical Recipes, 6.4). a, b > 0; x in [0, 1].
double incomplete_beta(double a, double b, double x);
/// The x with I_x(a, b) = p, by bisection to the last bit.
double beta_quantile(double a, double b, double p);
/// Of Student's t distribution; `degrees` > 0, p in (0, 1).
double student_t_quantile(double degrees, double p);

/// Clopper and Pearson (1934): exact for a count of independent trials. No trials: [0, 1].
Interval clopper_pearson(std::uint64_t successes, std::uint64_t trials, double confidence);

/// For the mean of independent values in [0, 1], valid for every sample size and distribution: the hedged capital
/// process of Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2023), theorem 3,
/// with the bets for a fixed sample size. The values are taken in an order drawn from a fixed seed, because files are
/// often sorted. Empty: [0, 1].
Interval bounded_mean(std::span<const double> values, double confidence);

/// Student's interval for a mean: approximate, better the more samples there are. One value or none: all numbers.
Interval student_mean(std::span<const double> values, double confidence);

/// For the q-quantile: the order statistics that enclose it with at least `confidence`, whatever the distribution
/// (David and Nagaraja, Order Statistics, 7.1). `sorted` ascending. Too few values to enclose it: infinite.
Interval quantile_limits(std::span<const double> sorted, double q, double confidence);
/// The q-quantile itself, between its neighbours as numpy.quantile does.
double quantile(std::span<const double> sorted, double q);

/// Percentiles of `statistic` over 1000 resamples of the rows in `strata` (each stratum keeps its size; from 20,000
/// rows on fewer resamples, at least 200), from a fixed seed: approximate (Efron, 1979). A statistic that is not a
/// number is left out.
Interval bootstrap(const std::vector<std::vector<std::uint32_t>>& strata, double confidence,
                   const std::function<double(const std::vector<std::uint32_t>& rows)>& statistic);

}  // namespace backstay::evaluation
