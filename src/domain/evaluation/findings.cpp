#include "domain/evaluation/findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>

namespace backstay::evaluation {

namespace {

void append(std::vector<registry::Metric>& to, std::vector<registry::Metric> from, const std::string& group) {
  for (registry::Metric& metric : from) {
    metric.group = group;
    to.push_back(std::move(metric));
  }
}

/// The number that a directional test is about.
Result<double> score_of(const Behaviour& test, const Predictions& p, std::size_t row) {
  if (p.task != Task::kClassification) return p.value[row];
  if (p.binary() && !p.scores.empty()) return p.scores[row];
  return Unexpected(
      ErrorCode::kInvalidArgument,
      fmt::format("The behaviour test '{}' is about a score, and there is none of two classes.", test.name),
      "Use expect: same, or an output of kind score or value.");
}

/// Whether no probability of the row changed by more.
bool scores_within(double tolerance, const Predictions& before, const Predictions& after, std::size_t row) {
  const std::size_t width = before.binary() ? 1 : before.classes.size();
  for (std::size_t i = row * width; i < (row + 1) * width; ++i)
    if (std::abs(before.scores[i] - after.scores[i]) > tolerance) return false;
  return true;
}

Result<bool> holds(const Behaviour& test, const Predictions& before, const Predictions& after, std::size_t row) {
  const bool classes = before.task == Task::kClassification;
  const double tolerance = test.tolerance.value_or(0);
  if (test.kind == Behaviour::Kind::kSame) {
    if (classes && test.tolerance) return scores_within(tolerance, before, after, row);
    if (classes) return before.predicted[row] == after.predicted[row];
    return std::abs(before.value[row] - after.value[row]) <= tolerance;
  }
  TRY(const double was, score_of(test, before, row));
  TRY(const double is, score_of(test, after, row));
  return test.kind == Behaviour::Kind::kNotLess ? is >= was - tolerance : is <= was + tolerance;
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

namespace {

/// Each measure of these rows, and then each change of it, is a part.
void add_parts(const std::shared_ptr<const Predictions>& predictions,
               const std::shared_ptr<const Predictions>& baseline, const std::string& baseline_name,
               const std::string& group, const MeasureOptions& options, std::vector<MeasuredPart>& parts) {
  const auto labelled = [group](std::optional<registry::Metric> metric, const std::string& against) {
    std::vector<registry::Metric> out;
    if (!metric) return out;
    metric->group = group;
    metric->baseline = against;
    out.push_back(*std::move(metric));
    return out;
  };
  const std::string of = group.empty() ? "" : " of " + group;
  const std::vector<Measure> measures = measures_for(*predictions, options);
  for (const Measure& each : measures)
    parts.push_back(
        {each.name + of, [=] { return labelled(measure_one(each, *predictions, options.confidence), ""); }});
  if (!baseline) return;
  for (const Measure& each : measures)
    parts.push_back({each.name + " against " + baseline_name + of,
                     [=] { return labelled(compare_one(each, *predictions, *baseline, options), baseline_name); }});
}

/// Not owned.
std::shared_ptr<const Predictions> borrowed(const Predictions* predictions) {
  return {std::shared_ptr<const Predictions>(), predictions};
}

}  // namespace

std::vector<MeasuredPart> quality_parts(const Predictions& predictions, const Predictions* baseline,
                                        const std::string& baseline_name, const MeasureOptions& options,
                                        std::size_t min_group) {
  std::vector<MeasuredPart> parts;
  add_parts(borrowed(&predictions), baseline == nullptr ? nullptr : borrowed(baseline), baseline_name, "", options,
            parts);
  for (const Attribute& attribute : predictions.attributes) {
    const auto groups = rows_by_value(attribute);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (groups[i].size() < min_group) continue;
      const auto part = std::make_shared<const Predictions>(select(predictions, groups[i]));
      const auto before =
          baseline == nullptr ? nullptr : std::make_shared<const Predictions>(select(*baseline, groups[i]));
      add_parts(part, before, baseline_name, attribute.values[i], options, parts);
    }
  }
  return parts;
}

std::vector<MeasuredPart> bias_parts(const Predictions& predictions, const FairnessOptions& options) {
  std::vector<MeasuredPart> parts;
  for (const Attribute& attribute : predictions.attributes)
    parts.push_back({"bias by " + attribute.name, [&predictions, &attribute, options] {
                       return measure_fairness(predictions, attribute, options);
                     }});
  return parts;
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
