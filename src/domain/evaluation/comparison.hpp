#pragma once

#include <vector>

#include "domain/evaluation/measures.hpp"

/// Two versions on the same rows.
namespace backstay::evaluation {

/// Newcombe's interval for the difference of two paired proportions (1998, "Improved confidence intervals for the
/// difference between binomial proportions based on paired data", method 10), from Wilson's of each and their
/// correlation. `first_only`: units where only the first succeeded.
Interval paired_rates(std::uint64_t both, std::uint64_t first_only, std::uint64_t second_only, std::uint64_t neither,
                      double confidence);

/// The exact two-sided p-value that the discordant pairs are as likely either way (McNemar, 1947; the binomial test).
double mcnemar_p_value(std::uint64_t first_only, std::uint64_t second_only);

/// candidate - baseline of every measure, named "<measure>_change", with limits for the same rows: rates by
/// paired_rates(), bounded means by bounded_mean() of the differences, other means by student_mean() of them, roc_auc
/// by DeLong, anything else by resampling rows of both. A rate whose denominators differ between the versions
/// (precision) is resampled. All but the first two are with_unseen(). The predictions must be of the same rows in the
/// same order. None: it is not defined, or not measured of both.
std::optional<registry::Metric> compare_one(const Measure& measure, const Predictions& candidate,
                                            const Predictions& baseline, const MeasureOptions& options);

/// Of every measure of which there is one.
std::vector<registry::Metric> compare(const Predictions& candidate, const Predictions& baseline,
                                      const MeasureOptions& options);

}  // namespace backstay::evaluation
