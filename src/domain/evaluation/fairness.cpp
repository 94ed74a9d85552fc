#include "domain/evaluation/fairness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>

namespace backstay::evaluation {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// A rate of one group. No trials: nothing is known of it.
struct Share {
  std::uint64_t successes = 0;
  std::uint64_t trials = 0;
  bool large_enough = false;  ///< The group is.
  double value() const { return trials == 0 ? kNan : static_cast<double>(successes) / static_cast<double>(trials); }
};

/// Two numbers with limits: of the difference and of the ratio of the extremes of a rate over groups.
struct Extremes {
  double difference = 0, ratio = 1;
  Interval difference_limits{0, 1};
  Interval ratio_limits{0, 1};
  std::uint64_t samples = 0;
  bool defined = false;
  std::size_t without_trials = 0;  ///< Groups that are large enough.
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
    if (!share.large_enough) continue;
    // As Fairlearn, which takes scikit-learn's zero_division=0; the limits say that any rate is possible.
    const double value = share.trials == 0 ? 0 : share.value();
    if (share.trials == 0) ++out.without_trials;
    low = std::min(low, value);
    high = std::max(high, value);
    ++known;
  }
  out.defined = known >= 2 && out.without_trials < known;
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
  for (Share* share : {&group.called, &group.recall, &group.false_positives}) share->large_enough = true;
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
  if (std::isnan(recall.ratio)) return;
  // Where no group has a false alarm Fairlearn looks at recall alone. The limits do not: rates that are too small to
  // show may have any ratio.
  const double ratio = std::isnan(alarms.ratio) ? recall.ratio : std::min(recall.ratio, alarms.ratio);
  metrics.push_back(metric_of("equalized_odds_ratio", ratio, samples,
                              {std::min(recall.ratio_limits.lower, alarms.ratio_limits.lower),
                               std::min(recall.ratio_limits.upper, alarms.ratio_limits.upper)}));
}

/// What is told of each group that is looked at, and how many are too small.
struct Groups {
  std::vector<Group> groups;
  std::uint64_t small = 0;
};
Groups groups_of(const Predictions& predictions, const Attribute& attribute, const FairnessOptions& options) {
  Groups out;
  for (const auto& rows : rows_by_value(attribute)) {
    const bool enough = rows.size() >= options.min_group;
    if (!enough) ++out.small;
    if (!enough && options.small_groups == SmallGroups::kLeaveOut) continue;
    out.groups.push_back(enough ? group_of(predictions, rows) : Group{});
  }
  return out;
}

}  // namespace

std::vector<registry::Metric> measure_fairness(const Predictions& predictions, const Attribute& attribute,
                                               const FairnessOptions& options) {
  std::vector<registry::Metric> metrics;
  if (!predictions.binary()) return metrics;
  const auto [groups, small] = groups_of(predictions, attribute, options);
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

std::vector<std::string> fairness_gaps(const Predictions& predictions, const Attribute& attribute,
                                       const FairnessOptions& options) {
  std::vector<std::string> gaps;
  if (!predictions.binary()) return gaps;
  const Groups found = groups_of(predictions, attribute, options);
  std::uint64_t large = 0;
  std::uint64_t no_positives = 0;
  std::uint64_t no_negatives = 0;
  Share called{};
  Share recall{};
  Share alarms{};
  for (const Group& group : found.groups) {
    if (!group.called.large_enough) continue;
    ++large;
    if (group.recall.trials == 0) ++no_positives;
    if (group.false_positives.trials == 0) ++no_negatives;
    called.successes += group.called.successes;
    recall.successes += group.recall.successes;
    alarms.successes += group.false_positives.successes;
  }
  const std::string& name = attribute.name;
  if (large < 2) {
    gaps.push_back(fmt::format("Bias by {} was not measured: {} of its groups {} at least {} rows (min_group).", name,
                               large == 0 ? "none" : "one", "has", options.min_group));
    return gaps;
  }
  if (found.small > 0)
    gaps.push_back(fmt::format("{} of the groups of {} {} fewer than {} rows (min_group): {}.", found.small, name,
                               found.small == 1 ? "has" : "have", options.min_group,
                               options.small_groups == SmallGroups::kLeaveOut
                                   ? "they are left out of its bias metrics"
                                   : "they may be treated in any way, so no rule on its bias metrics can pass"));
  if (called.successes == 0)
    gaps.push_back(
        fmt::format("demographic_parity_ratio of {} is not defined, and left out: no group is called positive "
                    "at all.",
                    name));
  if (no_positives == large || no_negatives == large)
    gaps.push_back(
        fmt::format("equalized_odds_difference and equalized_odds_ratio{} of {} are not defined, and left out: "
                    "no group has {} rows.",
                    no_positives == large ? ", and equal_opportunity_difference," : "", name,
                    no_positives == large ? "positive" : "negative"));
  else if (recall.successes == 0)
    gaps.push_back(
        fmt::format("equalized_odds_ratio of {} is not defined, and left out: no positive row is found in any "
                    "group.",
                    name));
  else if (alarms.successes == 0)
    gaps.push_back(
        fmt::format("No group of {} has a false alarm: its equalized_odds_ratio is that of recall alone, and its "
                    "limits say nothing. Judge equalized_odds_difference.",
                    name));
  for (const auto& [count, what, rate] :
       {std::tuple{no_positives, "positive", "recall"}, std::tuple{no_negatives, "negative", "false positive rate"}})
    if (count > 0 && count < large)
      gaps.push_back(
          fmt::format("{} of the groups of {} {} no {} rows: the {} of such a group counts as 0, as in Fairlearn, "
                      "and its limits as [0, 1].",
                      count, name, count == 1 ? "has" : "have", what, rate));
  return gaps;
}

}  // namespace backstay::evaluation
