#pragma once

#include <string>
#include <vector>

#include "domain/evaluation/measures.hpp"

/// How alike a model treats groups.
namespace backstay::evaluation {

/// What becomes of groups with fewer rows than the minimum.
enum class SmallGroups : std::uint8_t {
  kInsufficient,  ///< They may be treated in any way: the limits say so, and no gate passes on them.
  kLeaveOut,      ///< As if they were not there; how many there are is a metric.
};

struct FairnessOptions {
  double confidence = 0.95;
  std::size_t min_group = 30;
  SmallGroups small_groups = SmallGroups::kInsufficient;
};

/// Metrics of one attribute (the metric's `group` is the attribute's name), of two classes:
///
///   demographic_parity_difference  greatest less smallest share that is called positive
///   demographic_parity_ratio       smallest over greatest: the four-fifths rule asks for 0.8 (29 CFR 1607.4 D)
///   equal_opportunity_difference   the same difference of recall
///   equalized_odds_difference      the greater of the differences of recall and of the false positive rate
///   equalized_odds_ratio           the smaller of their ratios
///   calibration_gap                greatest |mean score - share of positives| of a group; needs scores
///   small_groups                   how many groups have fewer rows than the minimum
///
/// Figures are Fairlearn's of groups that are large enough: recall counts as 0 in a group without positives, as the
/// false positive rate does without negatives, and where no group has a false alarm the ratio of the odds is that of
/// recall. Limits take neither for known. They hold together for all groups: exact intervals of each at 1 - alpha /
/// groups (Bonferroni; Clopper and Pearson for rates, bounded_mean() for calibration).
std::vector<registry::Metric> measure_fairness(const Predictions& predictions, const Attribute& attribute,
                                               const FairnessOptions& options);

/// Sentences: which of these metrics are not there and why, and which groups leave them open.
std::vector<std::string> fairness_gaps(const Predictions& predictions, const Attribute& attribute,
                                       const FairnessOptions& options);

}  // namespace backstay::evaluation
