#pragma once

#include <cstddef>
#include <span>

#include "domain/evaluation/intervals.hpp"

/// Whether scores are probabilities. `right` is 1 where what was scored was true, else 0.
namespace backstay::evaluation {

/// The expected calibration error: sum over bins of n_b/n |share of positives - mean score|, bins of equal width,
/// (from, to], the first with 0. With more than two classes: of the top class, its score and whether it was right. NaN
/// without rows.
double calibration_error(std::span<const double> scores, std::span<const double> right, std::size_t bins);

/// Of the calibration error over these bins. The figure is too large by what chance alone puts into each bin, also of
/// scores that are perfect; so a percentile of resampled figures lies too high, twice. Here
///
///   lower  the figure less what scores without any error would show at most, at this confidence: labels drawn with the
///          scores (consistency resampling: Broecker and Smith, "Increasing the reliability of reliability diagrams",
///          2007) or with each bin's own share, whichever shows more. It holds since |a + b| <= |a| + |b| in each bin.
///   upper  the figure plus how far resampled figures lie from their own mean, because its mean is no less than the
///   error;
///          with_unseen() of all rows.
///
/// Approximate; from a fixed seed, with as many resamples as bootstrap(). Fewer than gates::kFewestForLimits rows: [0,
/// 1].
Interval calibration_error_limits(std::span<const double> scores, std::span<const double> right, std::size_t bins,
                                  double confidence);

}  // namespace backstay::evaluation
