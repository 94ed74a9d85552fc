#include "domain/gates/certainty.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace backstay::gates {

namespace {

using registry::Metric;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What was counted of these very rows is no estimate.
bool is_count(const Metric& metric) {
  return metric.name == "small_groups" || metric.name == "golden_mismatches";
}

}  // namespace

bool is_time(const Measured& measured) {
  const std::string& name = measured.metric->name;
  return measured.kind == registry::ScorecardKind::kLatency || name.ends_with("_seconds");
}

bool has_limits(const Measured& measured) {
  return measured.metric->lower && measured.metric->upper;
}

bool is_rate(const Measured& measured) {
  const Metric& metric = *measured.metric;
  return !is_time(measured) && metric.value >= 0 && metric.value <= 1 && !registry::is_known_error(metric.name);
}

bool all_alike(const Measured& measured) {
  const Metric& metric = *measured.metric;
  return has_limits(measured) && *metric.lower >= *metric.upper && metric.samples > 0 &&
         metric.samples < kFewestAlike && !is_time(measured) && !is_count(metric);
}

std::string lacks(const Measured& measured, const Rule& rule) {
  const Metric& metric = *measured.metric;
  if (all_alike(measured))
    return fmt::format(
        "Limits without any width, of {} samples: from fewer than {} that were all alike nothing follows.",
        metric.samples, kFewestAlike);
  if (is_time(measured) || is_rate(measured)) return "";
  if (registry::is_known_error(metric.name) && !has_limits(measured) && metric.samples > 0 &&
      metric.samples < kFewestForLimits)
    return fmt::format("{} samples are too few for limits of {}: measure it on {} or more.", metric.samples,
                       metric.name, kFewestForLimits);
  const bool share = rule.bound > 0 && rule.bound <= 1 && rule.kind == Rule::Kind::kAtLeast;
  if (metric.value > 1 && metric.value <= 100 && (share || registry::is_known_rate(metric.name)) &&
      !has_limits(measured))
    return fmt::format("{:g} looks like a percentage: add a scorecard with {:g}.", metric.value, metric.value / 100);
  if (registry::is_known_rate(metric.name)) return "A rate lies in [0, 1]: add a scorecard with a share.";
  if (has_limits(measured) || (metric.samples == 0 && !share)) return "";
  return fmt::format(
      "{:g} on {} samples has no confidence limits: add a scorecard with lower and upper, or a rate "
      "in [0, 1].",
      metric.value, metric.samples);
}

Interval limits_of(const Measured& measured, double confidence) {
  const Metric& metric = *measured.metric;
  if (has_limits(measured)) return {*metric.lower, *metric.upper};
  if (is_rate(measured)) return wilson(metric.value, metric.samples, confidence);
  if (registry::is_known_error(metric.name) && metric.samples > 0 && !is_time(measured)) return {-kInfinity, kInfinity};
  return {metric.value, metric.value};
}

namespace {

// The fewest samples that could pass the rule, by the exact limits of a share that is never missed: 0: it isn't about
// a share.
std::uint64_t fewest_for(const Rule& rule, const Measured& measured, double confidence) {
  std::string name = measured.metric->name;
  if (name.ends_with("_change")) name.resize(name.size() - std::string_view("_change").size());
  if (is_time(measured) || registry::is_known_error(name) || is_count(*measured.metric)) return 0;
  const bool change = is_change(rule);
  if (!change && !is_rate(measured)) return 0;
  const double margin = rule.kind == Rule::Kind::kAtLeast ? 1 - rule.bound : rule.bound;
  if (!(margin > 0 && margin < 1)) return 0;
  return static_cast<std::uint64_t>(std::ceil(std::log((1 - confidence) / 2) / std::log1p(-margin)));
}

}  // namespace

std::string cannot_tell(const Rule& rule, const Measured& measured, double confidence) {
  const std::uint64_t samples = measured.metric->samples;
  const std::uint64_t fewest = fewest_for(rule, measured, confidence);
  if (measured.metric->name.find("log_loss") != std::string::npos)
    return fmt::format("{} samples cannot tell: measure on more, or bound the loss by a greater clip of its set.",
                       samples);
  if (samples >= fewest) return fmt::format("{} samples cannot tell: measure on more.", samples);
  return fmt::format("{} samples cannot tell: without a single error it takes {} or more.", samples, fewest);
}

std::string too_weak(const Measured& measured, double confidence) {
  constexpr double kRounding = 1e-9;
  if (!has_limits(measured) || !measured.confidence || *measured.confidence >= confidence - kRounding) return "";
  return fmt::format("Its limits hold at {:g}, and the gate asks for {:g}: measure with confidence: {:g}.",
                     *measured.confidence, confidence, confidence);
}

Interval gap_limits(const Measured& high, const Measured& low, double confidence) {
  const Metric& a = *high.metric;
  const Metric& b = *low.metric;
  const double gap = a.value - b.value;
  if (!has_limits(high) || !has_limits(low)) {
    if (is_rate(high) && is_rate(low)) return newcombe(a.value, a.samples, b.value, b.samples, confidence);
    const bool known_error = registry::is_known_error(a.name) && a.samples > 0 && b.samples > 0;
    return known_error ? Interval{-kInfinity, kInfinity} : Interval{gap, gap};
  }
  return {gap - std::hypot(a.value - *a.lower, *b.upper - b.value),
          gap + std::hypot(*a.upper - a.value, b.value - *b.lower)};
}

}  // namespace backstay::gates
