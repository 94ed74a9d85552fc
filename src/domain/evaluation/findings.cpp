#include "domain/evaluation/findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace backstay::evaluation {

namespace {

void append(std::vector<registry::Metric>& to, std::vector<registry::Metric> from, const std::string& group) {
  for (registry::Metric& metric : from) {
    metric.group = group;
    to.push_back(std::move(metric));
  }
}

/// The number that a test is about which does not ask for the same class.
Result<double> score_of(const Behaviour& test, const Predictions& p, std::size_t row) {
  if (p.task != Task::kClassification) return p.value[row];
  if (p.binary() && !p.scores.empty()) return p.scores[row];
  return Unexpected(
      ErrorCode::kInvalidArgument,
      fmt::format("The behaviour test '{}' is about a score, and there is none of two classes.", test.name),
      "Use expect: same without a tolerance, or an output of kind score or value.");
}

Result<bool> holds(const Behaviour& test, const Predictions& before, const Predictions& after, std::size_t row) {
  const bool classes = before.task == Task::kClassification;
  if (test.kind == Behaviour::Kind::kSame && classes && test.tolerance == 0)
    return before.predicted[row] == after.predicted[row];
  TRY(const double was, score_of(test, before, row));
  TRY(const double is, score_of(test, after, row));
  if (test.kind == Behaviour::Kind::kSame) return std::abs(is - was) <= test.tolerance;
  return test.kind == Behaviour::Kind::kNotLess ? is >= was - test.tolerance : is <= was + test.tolerance;
}

}  // namespace

MeasureOptions measure_options(const Suite& suite, const Set& set) {
  MeasureOptions options;
  options.confidence = suite.confidence;
  options.bins = set.bins;
  options.clip = set.clip;
  options.cutoffs.clear();
  for (const std::int64_t cutoff : set.cutoffs) options.cutoffs.push_back(static_cast<std::size_t>(cutoff));
  return options;
}

std::vector<registry::Metric> quality_metrics(const Predictions& predictions, const Predictions* baseline,
                                              const std::string& baseline_name, const MeasureOptions& options,
                                              std::size_t min_group) {
  std::vector<registry::Metric> metrics = measure(predictions, options);
  const auto changes = [&](const Predictions& a, const Predictions& b) {
    std::vector<registry::Metric> found = compare(a, b, options);
    for (registry::Metric& metric : found) metric.baseline = baseline_name;
    return found;
  };
  if (baseline != nullptr) append(metrics, changes(predictions, *baseline), "");
  for (const Attribute& attribute : predictions.attributes) {
    const auto groups = rows_by_value(attribute);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (groups[i].size() < min_group) continue;
      const Predictions part = select(predictions, groups[i]);
      append(metrics, measure(part, options), attribute.values[i]);
      if (baseline != nullptr) append(metrics, changes(part, select(*baseline, groups[i])), attribute.values[i]);
    }
  }
  return metrics;
}

std::vector<registry::Metric> bias_metrics(const Predictions& predictions, const FairnessOptions& options) {
  std::vector<registry::Metric> metrics;
  for (const Attribute& attribute : predictions.attributes) {
    std::vector<registry::Metric> found = measure_fairness(predictions, attribute, options);
    metrics.insert(metrics.end(), found.begin(), found.end());
  }
  return metrics;
}

std::vector<registry::Metric> latency_metrics(const std::vector<double>& seconds, double rows_per_second,
                                              double confidence) {
  std::vector<registry::Metric> metrics;
  if (seconds.empty()) return metrics;
  for (const int percent : {50, 95, 99}) {
    const double q = percent / 100.0;
    const Interval limits = quantile_limits(seconds, q, confidence);
    if (!std::isfinite(limits.lower) || !std::isfinite(limits.upper)) continue;
    metrics.push_back(
        metric_of(fmt::format("latency_p{}_seconds", percent), quantile(seconds, q), seconds.size(), limits));
  }
  const double mean = std::accumulate(seconds.begin(), seconds.end(), 0.0) / static_cast<double>(seconds.size());
  const Interval of_mean = student_mean(seconds, confidence);
  if (std::isfinite(of_mean.upper))
    metrics.push_back(
        metric_of("latency_mean_seconds", mean, seconds.size(), {std::max(0.0, of_mean.lower), of_mean.upper}));
  metrics.push_back(
      metric_of("throughput_rows_per_second", rows_per_second, seconds.size(), {rows_per_second, rows_per_second}));
  return metrics;
}

std::vector<registry::Metric> robustness_metrics(const Robustness& test, const Predictions& unchanged,
                                                 const Predictions& changed, const std::vector<std::uint32_t>& rows,
                                                 const MeasureOptions& options) {
  MeasureOptions cheap = options;
  cheap.resample = false;
  const Predictions part = select(changed, rows);
  std::vector<registry::Metric> found = measure(part, cheap);
  if (test.change.kind != Change::Kind::kNone)
    for (registry::Metric& metric : compare(part, select(unchanged, rows), cheap)) found.push_back(std::move(metric));
  std::vector<registry::Metric> metrics;
  append(metrics, std::move(found), test.name);
  for (registry::Metric& metric : metrics) metric.name = "robustness_" + metric.name;
  return metrics;
}

Result<registry::Metric> behaviour_metric(const Behaviour& test, const Predictions& unchanged,
                                          const Predictions& changed, double confidence) {
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < unchanged.rows(); ++i) {
    TRY(const bool holding, holds(test, unchanged, changed, i));
    if (holding) ++passed;
  }
  const auto rows = static_cast<double>(unchanged.rows());
  registry::Metric metric = metric_of("behaviour_pass_rate", static_cast<double>(passed) / rows, unchanged.rows(),
                                      clopper_pearson(passed, unchanged.rows(), confidence));
  metric.group = test.name;
  return metric;
}

std::vector<registry::Metric> safety_metrics(const Safety& test, const std::vector<double>& scores,
                                             const std::vector<Attribute>& attributes, std::size_t min_group,
                                             double confidence) {
  std::vector<registry::Metric> metrics;
  const auto add = [&](const std::string& group, std::uint64_t unsafe, std::uint64_t rows) {
    const double rate = static_cast<double>(unsafe) / static_cast<double>(rows);
    metrics.push_back(metric_of(test.name + "_rate", rate, rows, clopper_pearson(unsafe, rows, confidence)));
    metrics.back().group = group;
  };
  const auto unsafe = [&](double score) { return score >= test.threshold; };
  if (!scores.empty())
    add("", static_cast<std::uint64_t>(std::count_if(scores.begin(), scores.end(), unsafe)), scores.size());
  for (const Attribute& attribute : attributes) {
    const auto groups = rows_by_value(attribute);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (groups[i].size() < min_group) continue;
      const auto found =
          std::count_if(groups[i].begin(), groups[i].end(), [&](std::uint32_t row) { return unsafe(scores[row]); });
      add(attribute.values[i], static_cast<std::uint64_t>(found), groups[i].size());
    }
  }
  return metrics;
}

}  // namespace backstay::evaluation
