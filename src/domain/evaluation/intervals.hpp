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

/// Student's interval for a mean: approximate, better the more samples there are. Fewer than gates::kFewestForLimits
/// values: all numbers.
Interval student_mean(std::span<const double> values, double confidence);

/// For the q-quantile: the order statistics that enclose it with at least `confidence`, whatever the distribution
/// (David and Nagaraja, Order Statistics, 7.1). `sorted` ascending. Too few values to enclose it: infinite.
Interval quantile_limits(std::span<const double> sorted, double q, double confidence);
/// The q-quantile itself, between its neighbours as numpy.quantile does.
double quantile(std::span<const double> sorted, double q);

/// How often as many rows are resampled: 1000 times; from 20,000 rows on less often, at least 200 times.
std::size_t resamples_of(std::size_t rows);

/// Percentiles of `statistic` over resamples_of() the rows in `strata` (each stratum keeps its size), from a fixed
/// seed: approximate (Efron, 1979). A statistic that is not a number is left out. Fewer than gates::kFewestForLimits
/// rows: all numbers. It knows only what was drawn: see with_unseen().
Interval bootstrap(const std::vector<std::vector<std::uint32_t>>& strata, double confidence,
                   const std::function<double(const std::vector<std::uint32_t>& rows)>& statistic);

/// The greatest share of a population that `rows` independent draws miss altogether with a probability of at least
/// (1 - confidence) / 2: Clopper and Pearson's upper limit of no events, about ln(2 / (1 - confidence)) / rows (the
/// "rule of three", Hanley and Lippman-Hand, 1983). No rows: 1.
double unseen_share(std::uint64_t rows, double confidence);

/// Limits that come from the spread of what was seen, such as Student's or the bootstrap's, have no width where nothing
/// varies, however few rows there are. Here a share `unseen` of the population is taken to be rows that were not drawn,
/// on which the figure may lie anywhere in `range`: it moves to (1 - unseen) value + unseen range. That and `sampled`
/// are independent sources of error and are added as such (the root of the sum of squares).
Interval with_unseen(double value, const Interval& sampled, const Interval& range, double unseen);

}  // namespace backstay::evaluation
