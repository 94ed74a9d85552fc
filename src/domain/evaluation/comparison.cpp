#include "domain/evaluation/comparison.hpp"

#include <algorithm>
#include <cmath>

#include "domain/evaluation/curves.hpp"

namespace backstay::evaluation {

namespace {

/// Contributions of the units that count in both.
struct Pairs {
  std::vector<double> candidate;
  std::vector<double> baseline;
  bool same_units = true;
};

Pairs pairs_of(const Measure& measure, const Predictions& candidate, const Predictions& baseline) {
  const std::vector<double> a = measure.units(candidate);
  const std::vector<double> b = measure.units(baseline);
  Pairs pairs;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) pairs.same_units = false;
    if (std::isnan(a[i]) || std::isnan(b[i])) continue;
    pairs.candidate.push_back(a[i]);
    pairs.baseline.push_back(b[i]);
  }
  return pairs;
}

Interval limits_of_pairs(const Measure& measure, const Pairs& pairs, double confidence) {
  if (measure.kind == Measure::Kind::kRate) {
    std::uint64_t counts[2][2] = {{0, 0}, {0, 0}};
    for (std::size_t i = 0; i < pairs.candidate.size(); ++i)
      ++counts[pairs.candidate[i] > 0.5 ? 1 : 0][pairs.baseline[i] > 0.5 ? 1 : 0];
    return paired_rates(counts[1][1], counts[1][0], counts[0][1], counts[0][0], confidence);
  }
  const bool bounded = measure.kind == Measure::Kind::kBounded;
  std::vector<double> differences;
  for (std::size_t i = 0; i < pairs.candidate.size(); ++i) {
    const double difference = pairs.candidate[i] - pairs.baseline[i];
    differences.push_back(bounded ? std::clamp((difference / measure.most + 1) / 2, 0.0, 1.0) : difference);
  }
  if (!bounded) return student_mean(differences, confidence);  // with_unseen() by the caller
  const Interval limits = bounded_mean(differences, confidence);
  return {(2 * limits.lower - 1) * measure.most, (2 * limits.upper - 1) * measure.most};
}

Interval resampled(const Measure& measure, const Predictions& candidate, const Predictions& baseline,
                   double confidence) {
  return bootstrap(strata_of(candidate), confidence,
                   [a = value_of_draws(measure, candidate), b = value_of_draws(measure, baseline)](
                       const std::vector<std::uint32_t>& rows) { return a(rows) - b(rows); });
}

/// How far apart two versions may be on rows that were not seen.
Interval widest_change(const Measure& measure, const Predictions& p) {
  const Interval range = measure.unseen_range ? measure.unseen_range(p) : Interval{0, 1};
  return {range.lower - range.upper, range.upper - range.lower};
}

bool has_bounds(const Measure& measure) {
  if (measure.kind != Measure::Kind::kStatistic && measure.kind != Measure::Kind::kMean) return true;
  return measure.within && std::isfinite(measure.within->lower) && std::isfinite(measure.within->upper);
}

/// Limits of a change, and the units it rests on.
struct Change {
  Interval limits{};
  std::uint64_t samples = 0;
};

Change change_of(const Measure& measure, const Predictions& candidate, const Predictions& baseline, double change,
                 double confidence) {
  if (measure.name == "roc_auc")
    return {roc_auc_difference(candidate.truth, candidate.scores, baseline.scores, confidence), candidate.rows()};
  const Interval widest = widest_change(measure, candidate);
  const auto bounded = [&](const Interval& sampled, double unseen) {
    const Interval wide = with_unseen(change, sampled, widest, unseen);
    if (!has_bounds(measure)) return wide;
    return Interval{std::max(wide.lower, widest.lower), std::min(wide.upper, widest.upper)};
  };
  if (measure.kind == Measure::Kind::kStatistic)
    return {bounded(resampled(measure, candidate, baseline, confidence), measure.unseen_rows(candidate, confidence)),
            candidate.rows()};
  const Pairs pairs = pairs_of(measure, candidate, baseline);
  const std::uint64_t samples = pairs.candidate.size();
  if (pairs.same_units && measure.kind != Measure::Kind::kMean)
    return {limits_of_pairs(measure, pairs, confidence), samples};
  const Interval drawn = pairs.same_units ? limits_of_pairs(measure, pairs, confidence)
                                          : resampled(measure, candidate, baseline, confidence);
  return {bounded(drawn, unseen_share(samples, confidence)), samples};
}

}  // namespace

Interval paired_rates(std::uint64_t both, std::uint64_t first_only, std::uint64_t second_only, std::uint64_t neither,
                      double confidence) {
  const std::uint64_t n = both + first_only + second_only + neither;
  if (n == 0) return {-1, 1};
  const auto a = static_cast<double>(both);
  const auto b = static_cast<double>(first_only);
  const auto c = static_cast<double>(second_only);
  const auto d = static_cast<double>(neither);
  const double total = a + b + c + d;
  const double first = (a + b) / total;
  const double second = (a + c) / total;
  const Interval of_first = gates::wilson(first, n, confidence);
  const Interval of_second = gates::wilson(second, n, confidence);
  const double margins = (a + b) * (c + d) * (a + c) * (b + d);
  double product = a * d - b * c;
  if (product > 0) product = std::max(product - total / 2, 0.0);  // The continuity correction of method 10.
  const double correlation = margins == 0 ? 0 : product / std::sqrt(margins);
  const auto half = [&](double x, double y) {
    return std::sqrt(std::max(0.0, x * x - 2 * correlation * x * y + y * y));
  };
  const double difference = first - second;
  return {difference - half(first - of_first.lower, of_second.upper - second),
          difference + half(of_first.upper - first, second - of_second.lower)};
}

double mcnemar_p_value(std::uint64_t first_only, std::uint64_t second_only) {
  const std::uint64_t n = first_only + second_only;
  const std::uint64_t fewer = std::min(first_only, second_only);
  if (n == 0 || 2 * fewer == n) return 1;
  // P(Binomial(n, 1/2) <= fewer), doubled.
  return std::min(1.0, 2 * (1 - incomplete_beta(static_cast<double>(fewer + 1), static_cast<double>(n - fewer), 0.5)));
}

std::optional<registry::Metric> compare_one(const Measure& measure, const Predictions& candidate,
                                            const Predictions& baseline, const MeasureOptions& options) {
  // A version that gives labels only can't be compared in what is measured of scores.
  const std::vector<Measure> others = measures_for(baseline, options);
  const auto same = [&](const Measure& other) { return other.name == measure.name; };
  if (std::none_of(others.begin(), others.end(), same)) return std::nullopt;
  const double change = value_of(measure, candidate) - value_of(measure, baseline);
  if (!std::isfinite(change)) return std::nullopt;
  const bool statistic = measure.kind == Measure::Kind::kStatistic && measure.name != "roc_auc";
  if (statistic && !options.resample) return std::nullopt;
  const Change found = change_of(measure, candidate, baseline, change, options.confidence);
  return metric_of(measure.name + "_change", change, found.samples, found.limits);
}

std::vector<registry::Metric> compare(const Predictions& candidate, const Predictions& baseline,
                                      const MeasureOptions& options) {
  std::vector<registry::Metric> metrics;
  for (const Measure& measure : measures_for(candidate, options))
    if (auto metric = compare_one(measure, candidate, baseline, options)) metrics.push_back(*std::move(metric));
  return metrics;
}

}  // namespace backstay::evaluation
