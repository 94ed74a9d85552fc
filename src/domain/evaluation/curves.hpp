#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "domain/evaluation/intervals.hpp"

/// Two classes told apart by a score: `truth` is 1 for positives.
namespace backstay::evaluation {

/// How each positive and each negative stands among the others: of a positive, the share of negatives below it (ties
/// count half); of a negative, the share of positives above it. Their mean is the area under the ROC curve.
struct Placements {
  std::vector<double> of_positives;
  std::vector<double> of_negatives;
};
/// By midranks: Sun and Xu, "Fast implementation of DeLong's algorithm" (2014).
Placements placements(std::span<const std::uint32_t> truth, std::span<const double> scores);

/// NaN with one class only.
double roc_auc(std::span<const std::uint32_t> truth, std::span<const double> scores);

/// DeLong, DeLong and Clarke-Pearson (1988), on the logit's scale, which keeps it in [0, 1]; no narrower than where the
/// classes are told apart perfectly: the exact limit of as many independent pairs as the smaller class has members.
Interval roc_auc_limits(std::span<const std::uint32_t> truth, std::span<const double> scores, double confidence);

/// Of auc(a) - auc(b) on the same rows: DeLong's covariance, with_unseen() of the smaller class.
Interval roc_auc_difference(std::span<const std::uint32_t> truth, std::span<const double> scores_a,
                            std::span<const double> scores_b, double confidence);

/// sum (R_n - R_(n-1)) P_n over the thresholds; NaN without a positive, 1 without a negative.
double average_precision(std::span<const std::uint32_t> truth, std::span<const double> scores);

/// average_precision() of rows that are drawn with replacement, again and again: they are sorted once. NaN without a
/// positive or a negative among the rows. Not thread-safe.
class PrecisionOfDraws {
 public:
  PrecisionOfDraws(std::span<const std::uint32_t> truth, std::span<const double> scores);
  double operator()(std::span<const std::uint32_t> rows);

 private:
  std::vector<std::uint32_t> places_;   ///< Of each row in the order of falling scores.
  std::vector<std::uint8_t> positive_;  ///< By place.
  std::vector<std::uint8_t> last_;      ///< Whether the place is the last of its score.
  std::vector<std::uint32_t> drawn_;    ///< How often, by place.
};

}  // namespace backstay::evaluation
