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

const char* to_string(Source source) {
  switch (source) {
    case Source::kByHand: return "by hand";
    case Source::kEvaluated: return "evaluated";
    case Source::kSigned: return "signed";
    case Source::kUnrecorded: return "of unrecorded source";
  }
  return "by hand";
}

namespace {

constexpr std::string_view kRates[] = {
    "accuracy",    "precision", "recall", "f1",         "auc",           "auroc",         "auprc",    "sensitivity",
    "specificity", "npv",       "ppv",    "tpr",        "fpr",           "tnr",           "fnr",      "iou",
    "dice",        "jaccard",   "top1",   "error_rate", "positive_rate", "negative_rate", "hit_rate", "pass_rate"};
// What follows a rate's name and leaves it a rate.
constexpr std::string_view kSuffixes[] = {"_at_", "_macro", "_micro", "_weighted", "_top", "_score"};

constexpr std::string_view kErrors[] = {"log_loss",
                                        "logloss",
                                        "cross_entropy",
                                        "nll",

                                        "mae",
                                        "mse",
                                        "rmse",
                                        "mape",
                                        "r2",
                                        "mean_error",
                                        "r2_score",
                                        "squared_error",
                                        "absolute_error",
                                        "percentage_error"};

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

Result<void> check_evaluator(const std::string& evaluator) {
  std::string letters;  // Without blanks, dashes and case, so that none of these makes it another text.
  for (const char c : evaluator) {
    if (c >= 'A' && c <= 'Z') letters += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ':') letters += c;
  }
  for (const char* claim : {"signedby", "datasha256:", "statementsha256:"})
    if (letters.find(claim) != std::string::npos || letters.starts_with("backstay"))
      return Unexpected(
          ErrorCode::kInvalidArgument,
          fmt::format("The evaluator '{}' reads like what `backstay evaluate` measured, or a signature.",
                      evaluator.substr(0, 100)),
          "Say who or what measured it: evaluator: ci. What is signed is taken by backstay scorecard import.");
  return {};
}

bool is_known_error(const std::string& name) {
  const std::string text = usual_spelling(name);
  return std::any_of(std::begin(kErrors), std::end(kErrors),
                     [&](std::string_view error) { return text == error || text.ends_with("_" + std::string(error)); });
}

Result<void> validate(const Scorecard& scorecard) {
  for (const Metric& metric : scorecard.metrics) TRY_DO(validate(metric));
  return {};
}

}  // namespace backstay::registry
