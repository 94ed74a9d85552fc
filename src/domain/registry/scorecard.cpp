#include "domain/registry/scorecard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "domain/registry/metric_scale.hpp"

namespace backstay::registry {

const char* to_string(ScorecardKind kind) {
  switch (kind) {
    case ScorecardKind::kQuality: return "quality";
    case ScorecardKind::kBias: return "bias";
    case ScorecardKind::kLatency: return "latency";
    case ScorecardKind::kSafety: return "safety";
  }
  return "quality";
}

namespace {

constexpr std::string_view kRates[] = {
    "accuracy",    "precision", "recall", "f1",         "auc",           "auroc",         "auprc",    "sensitivity",
    "specificity", "npv",       "ppv",    "tpr",        "fpr",           "tnr",           "fnr",      "iou",
    "dice",        "jaccard",   "top1",   "error_rate", "positive_rate", "negative_rate", "hit_rate", "pass_rate"};
// What follows a rate's name and leaves it a rate.
constexpr std::string_view kSuffixes[] = {"_at_", "_macro", "_micro", "_weighted", "_top", "_score"};

Result<void> validate(const Metric& metric) {
  const auto refuse = [&](const std::string& what, std::string hint) {
    const std::string group = metric.group.empty() ? "" : fmt::format(" of group '{}'", metric.group);
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The metric '{}'{} {}.", metric.name, group, what),
                      std::move(hint));
  };
  const double lower = metric.lower.value_or(metric.value);
  const double upper = metric.upper.value_or(metric.value);
  for (const double number : {metric.value, lower, upper}) {
    if (!std::isfinite(number)) return refuse("has a number that is not finite", "Leave out what was not measured.");
    if (!is_known_rate(metric.name) || (number >= 0 && number <= 1)) continue;
    if (number > 1 && number <= 100)
      return refuse(fmt::format("is {:g}, outside of [0, 1]", number),
                    fmt::format("It looks like a percentage: write {:g}.", number / 100));
    return refuse(fmt::format("is {:g}, outside of [0, 1]", number), "Write it as a share: 0.988 for 98.8%.");
  }
  if (lower <= metric.value && metric.value <= upper) return {};
  return refuse(fmt::format("is {:g}, outside of its limits [{:g}, {:g}]", metric.value, lower, upper),
                "lower and upper are the confidence limits of the value.");
}

}  // namespace

std::string usual_spelling(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-' || c == ' ' || c == '.' || c == '/') c = '_';
  }
  return name;
}

bool is_known_rate(const std::string& name) {
  const std::string text = usual_spelling(name);
  if (text.ends_with("_change")) return false;  // The difference of two rates is none.
  return std::any_of(std::begin(kRates), std::end(kRates), [&](std::string_view rate) {
    if (text == rate || text.ends_with("_" + std::string(rate))) return true;
    return std::any_of(std::begin(kSuffixes), std::end(kSuffixes), [&](std::string_view suffix) {
      const std::string start = std::string(rate) + std::string(suffix);
      return text.starts_with(start) || text.find("_" + start) != std::string::npos;
    });
  });
}

Result<void> validate(const Scorecard& scorecard) {
  for (const Metric& metric : scorecard.metrics) TRY_DO(validate(metric));
  return {};
}

}  // namespace backstay::registry
