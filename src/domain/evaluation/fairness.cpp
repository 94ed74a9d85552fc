#include "domain/evaluation/fairness.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace backstay::evaluation {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// A rate of one group. No trials: nothing is known of it.
struct Share {
  std::uint64_t successes = 0;
  std::uint64_t trials = 0;
  double value() const { return trials == 0 ? kNan : static_cast<double>(successes) / static_cast<double>(trials); }
};

/// Two numbers with limits: of the difference and of the ratio of the extremes of a rate over groups.
struct Extremes {
  double difference = 0, ratio = 1;
  Interval difference_limits{0, 1};
  Interval ratio_limits{0, 1};
  std::uint64_t samples = 0;
  bool defined = false;
};

/// Limits of the greatest and the smallest of several rates whose limits hold together.
Extremes extremes_of(const std::vector<Share>& shares, double confidence) {
  Extremes out;
  double low = 1;
  double high = 0;
  Interval lowest{1, 1};
  Interval highest{0, 0};
  std::size_t known = 0;
  const double each = 1 - (1 - confidence) / static_cast<double>(shares.size());
  for (const Share& share : shares) {
    const Interval limits = clopper_pearson(share.successes, share.trials, each);
    lowest = {std::min(lowest.lower, limits.lower), std::min(lowest.upper, limits.upper)};
    highest = {std::max(highest.lower, limits.lower), std::max(highest.upper, limits.upper)};
    out.samples += share.trials;
    if (share.trials == 0) continue;
    low = std::min(low, share.value());
    high = std::max(high, share.value());
    ++known;
  }
  out.defined = known >= 2;
  if (!out.defined) return out;
  out.difference = high - low;
  out.ratio = high == 0 ? kNan : low / high;
  out.difference_limits = {std::max(0.0, highest.lower - lowest.upper), std::min(1.0, highest.upper - lowest.lower)};
  out.ratio_limits.lower = highest.upper > 0 ? std::min(1.0, lowest.lower / highest.upper) : 0;
  out.ratio_limits.upper = highest.lower > 0 ? std::min(1.0, lowest.upper / highest.lower) : 1;
  return out;
}

struct Group {
  Share called, recall, false_positives;
  std::vector<double> calibration;  ///< (score - truth + 1) / 2 of each row
};

Group group_of(const Predictions& p, const std::vector<std::uint32_t>& rows) {
  Group group;
  for (const std::uint32_t row : rows) {
    const bool called = p.predicted[row] == 1;
    Share& by_truth = p.truth[row] == 1 ? group.recall : group.false_positives;
    for (Share* share : {&group.called, &by_truth}) {
      ++share->trials;
      if (called) ++share->successes;
    }
    if (!p.scores.empty()) group.calibration.push_back((p.scores[row] - p.truth[row] + 1) / 2);
  }
  return group;
}

std::vector<Share> shares_of(const std::vector<Group>& groups, Share Group::*which) {
  std::vector<Share> out;
  for (const Group& group : groups) out.push_back(group.*which);
  return out;
}

/// Greatest distance of a group's mean score from its share of positives.
void add_calibration(const std::vector<Group>& groups, double confidence, std::vector<registry::Metric>& metrics) {
  double greatest = 0;
  Interval limits{0, 0};
  std::uint64_t samples = 0;
  const double each = 1 - (1 - confidence) / static_cast<double>(groups.size());
  for (const Group& group : groups) {
    const Interval of_mean = bounded_mean(group.calibration, each);
    const Interval distance{2 * of_mean.lower - 1, 2 * of_mean.upper - 1};
    const double nearest = distance.lower > 0 ? distance.lower : distance.upper < 0 ? -distance.upper : 0;
    limits.lower = std::max(limits.lower, nearest);
    limits.upper = std::max({limits.upper, std::abs(distance.lower), std::abs(distance.upper)});
    samples += group.calibration.size();
    double sum = 0;
    for (const double value : group.calibration) sum += 2 * value - 1;
    if (!group.calibration.empty())
      greatest = std::max(greatest, std::abs(sum / static_cast<double>(group.calibration.size())));
  }
  if (samples > 0) metrics.push_back(metric_of("calibration_gap", greatest, samples, limits));
}

void add_odds(const Extremes& recall, const Extremes& alarms, std::vector<registry::Metric>& metrics) {
  if (recall.defined)
    metrics.push_back(
        metric_of("equal_opportunity_difference", recall.difference, recall.samples, recall.difference_limits));
  if (!recall.defined || !alarms.defined) return;
  const std::uint64_t samples = recall.samples + alarms.samples;
  metrics.push_back(metric_of("equalized_odds_difference", std::max(recall.difference, alarms.difference), samples,
                              {std::max(recall.difference_limits.lower, alarms.difference_limits.lower),
                               std::max(recall.difference_limits.upper, alarms.difference_limits.upper)}));
  if (std::isnan(recall.ratio) || std::isnan(alarms.ratio)) return;
  metrics.push_back(metric_of("equalized_odds_ratio", std::min(recall.ratio, alarms.ratio), samples,
                              {std::min(recall.ratio_limits.lower, alarms.ratio_limits.lower),
                               std::min(recall.ratio_limits.upper, alarms.ratio_limits.upper)}));
}

}  // namespace

std::vector<registry::Metric> measure_fairness(const Predictions& predictions, const Attribute& attribute,
                                               const FairnessOptions& options) {
  std::vector<registry::Metric> metrics;
  if (!predictions.binary()) return metrics;
  std::vector<Group> groups;
  std::uint64_t small = 0;
  for (const auto& rows : rows_by_value(attribute)) {
    const bool enough = rows.size() >= options.min_group;
    if (!enough) ++small;
    if (!enough && options.small_groups == SmallGroups::kLeaveOut) continue;
    groups.push_back(enough ? group_of(predictions, rows) : Group{});
  }
  const Extremes called = extremes_of(shares_of(groups, &Group::called), options.confidence);
  // Recall and false alarms are looked at together: each at half the chance of being wrong.
  const double half = 1 - (1 - options.confidence) / 2;
  const Extremes recall = extremes_of(shares_of(groups, &Group::recall), half);
  const Extremes alarms = extremes_of(shares_of(groups, &Group::false_positives), half);
  if (called.defined) {
    metrics.push_back(
        metric_of("demographic_parity_difference", called.difference, called.samples, called.difference_limits));
    if (!std::isnan(called.ratio))
      metrics.push_back(metric_of("demographic_parity_ratio", called.ratio, called.samples, called.ratio_limits));
  }
  add_odds(recall, alarms, metrics);
  if (!predictions.scores.empty()) add_calibration(groups, options.confidence, metrics);
  const auto count = static_cast<double>(small);
  metrics.push_back(metric_of("small_groups", count, predictions.rows(), {count, count}));
  for (registry::Metric& metric : metrics) metric.group = attribute.name;
  return metrics;
}

}  // namespace backstay::evaluation
