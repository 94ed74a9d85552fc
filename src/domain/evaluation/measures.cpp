#include "domain/evaluation/measures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

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

Interval limits_of_statistic(const Measure& measure, const Predictions& predictions, double confidence) {
  if (measure.limits) return measure.limits(predictions, confidence);
  return bootstrap(strata_of(predictions), confidence,
                   [&](const std::vector<std::uint32_t>& rows) { return measure.value(select(predictions, rows)); });
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
  if (measure.kind == Measure::Kind::kStatistic) return measure.value(predictions);
  return mean_of(counted(measure.units(predictions)));
}

std::vector<registry::Metric> measure(const Predictions& predictions, const MeasureOptions& options) {
  std::vector<registry::Metric> metrics;
  for (const Measure& each : measures_for(predictions, options)) {
    if (each.kind == Measure::Kind::kStatistic) {
      const double value = each.value(predictions);
      if (!std::isfinite(value)) continue;
      metrics.push_back(
          metric_of(each.name, value, predictions.rows(), limits_of_statistic(each, predictions, options.confidence)));
      continue;
    }
    const std::vector<double> units = counted(each.units(predictions));
    const double value = mean_of(units);
    if (!std::isfinite(value)) continue;
    metrics.push_back(metric_of(each.name, value, units.size(), limits_of_mean(each, units, options.confidence)));
  }
  return metrics;
}

}  // namespace backstay::evaluation
