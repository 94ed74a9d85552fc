#include "domain/evaluation/measures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace backstay::evaluation {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> counted(std::vector<double> units) {
  std::erase_if(units, [](double value) { return std::isnan(value); });
  return units;
}

double sum_of(const std::vector<double>& values) {
  // Neumaier's compensated sum, so that the order of rows does not show.
  double sum = 0;
  double lost = 0;
  for (const double value : values) {
    const double next = sum + value;
    lost += std::abs(sum) >= std::abs(value) ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }
  return sum + lost;
}

double mean_of(const std::vector<double>& values) {
  return values.empty() ? kNan : sum_of(values) / static_cast<double>(values.size());
}

std::optional<Interval> range_of(const Measure& measure) {
  switch (measure.kind) {
    case Measure::Kind::kRate: return Interval{0, 1};
    case Measure::Kind::kBounded: return Interval{0, measure.most};
    case Measure::Kind::kMean: return measure.within;
    case Measure::Kind::kStatistic: return measure.within;
  }
  return std::nullopt;
}

/// Takes back what rounding added. What is further out is a mistake, which the scorecard's validation is to find.
double rounded_into(const std::optional<Interval>& range, double value) {
  constexpr double kRounding = 1e-9;
  if (!range || value < range->lower - kRounding || value > range->upper + kRounding) return value;
  return std::clamp(value, range->lower, range->upper);
}

/// Limits that go further than the measure can are no mistake: approximations do that.
Interval cut_to(const std::optional<Interval>& range, const Interval& limits) {
  if (!range) return limits;
  return {std::max(limits.lower, range->lower), std::min(limits.upper, range->upper)};
}

Interval widened(const Measure& measure, const Predictions& predictions, double value, const Interval& sampled,
                 double confidence) {
  if (!measure.unseen_range) return sampled;
  return with_unseen(value, sampled, measure.unseen_range(predictions), measure.unseen_rows(predictions, confidence));
}

Interval limits_of_mean(const Measure& measure, std::vector<double> values, double confidence) {
  switch (measure.kind) {
    case Measure::Kind::kRate:
      return clopper_pearson(static_cast<std::uint64_t>(std::llround(sum_of(values))), values.size(), confidence);
    case Measure::Kind::kBounded: {
      for (double& value : values) value = std::clamp(value / measure.most, 0.0, 1.0);
      const Interval limits = bounded_mean(values, confidence);
      return {limits.lower * measure.most, limits.upper * measure.most};
    }
    case Measure::Kind::kMean: break;
    case Measure::Kind::kStatistic: break;
  }
  return student_mean(values, confidence);
}

Interval limits_of_statistic(const Measure& measure, const Predictions& predictions, double value, double confidence) {
  if (measure.limits) return measure.limits(predictions, confidence);
  const Interval drawn = bootstrap(strata_of(predictions), confidence, value_of_draws(measure, predictions));
  return widened(measure, predictions, value, drawn, confidence);
}

}  // namespace

registry::Metric metric_of(const std::string& name, double value, std::uint64_t samples, const Interval& limits) {
  registry::Metric metric;
  metric.name = name;
  metric.value = value;
  metric.samples = samples;
  if (std::isfinite(limits.lower) && std::isfinite(limits.upper)) {
    metric.lower = std::min(limits.lower, value);  // A percentile interval need not hold the value.
    metric.upper = std::max(limits.upper, value);
  }
  return metric;
}

std::vector<std::vector<std::uint32_t>> strata_of(const Predictions& predictions) {
  const bool by_class = predictions.task == Task::kClassification;
  std::vector<std::vector<std::uint32_t>> strata(by_class ? predictions.classes.size() : 1);
  for (std::size_t i = 0; i < predictions.rows(); ++i)
    strata[by_class ? predictions.truth[i] : 0].push_back(static_cast<std::uint32_t>(i));
  return strata;
}

std::vector<Measure> measures_for(const Predictions& predictions, const MeasureOptions& options) {
  std::vector<Measure> all;
  switch (predictions.task) {
    case Task::kClassification: all = classification_measures(predictions, options); break;
    case Task::kRegression: all = regression_measures(); break;
    case Task::kRanking: all = ranking_measures(options); break;
  }
  if (!options.resample)
    std::erase_if(all, [](const Measure& m) { return m.kind == Measure::Kind::kStatistic && !m.limits; });
  return all;
}

double value_of(const Measure& measure, const Predictions& predictions) {
  const double value = measure.kind == Measure::Kind::kStatistic ? measure.value(predictions)
                                                                 : mean_of(counted(measure.units(predictions)));
  return rounded_into(range_of(measure), value);
}

std::vector<std::string> undefined_measures(const Predictions& predictions, const MeasureOptions& options) {
  std::vector<std::string> names;
  for (const Measure& each : measures_for(predictions, options))
    if (!std::isfinite(value_of(each, predictions))) names.push_back(each.name);
  return names;
}

OfDraws value_of_draws(const Measure& measure, const Predictions& predictions) {
  if (!measure.of_draws)
    return [&](const std::vector<std::uint32_t>& rows) { return value_of(measure, select(predictions, rows)); };
  return [&measure, value = measure.of_draws(predictions)](const std::vector<std::uint32_t>& rows) {
    return rounded_into(range_of(measure), value(rows));
  };
}

std::optional<registry::Metric> measure_one(const Measure& measure, const Predictions& predictions, double confidence) {
  const double value = value_of(measure, predictions);
  if (!std::isfinite(value)) return std::nullopt;
  std::uint64_t samples = predictions.rows();
  Interval limits;
  if (measure.kind == Measure::Kind::kStatistic) {
    limits = limits_of_statistic(measure, predictions, value, confidence);
  } else {
    std::vector<double> units = counted(measure.units(predictions));
    samples = units.size();
    limits = limits_of_mean(measure, std::move(units), confidence);
    if (measure.kind == Measure::Kind::kMean) limits = widened(measure, predictions, value, limits, confidence);
  }
  return metric_of(measure.name, value, samples, cut_to(range_of(measure), limits));
}

std::vector<registry::Metric> measure(const Predictions& predictions, const MeasureOptions& options) {
  std::vector<registry::Metric> metrics;
  for (const Measure& each : measures_for(predictions, options))
    if (auto metric = measure_one(each, predictions, options.confidence)) metrics.push_back(*std::move(metric));
  return metrics;
}

}  // namespace backstay::evaluation
