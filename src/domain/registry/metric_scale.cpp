#include "domain/registry/metric_scale.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "domain/registry/scorecard.hpp"

namespace backstay::registry {

namespace {

struct Known {
  std::string_view name;
  MetricScale scale;
};

constexpr MetricScale kShareUp{Better::kHigher, true};
constexpr MetricScale kShareDown{Better::kLower, true};
constexpr MetricScale kUp{Better::kHigher, false};
constexpr MetricScale kDown{Better::kLower, false};

constexpr Known kKnown[] = {
    {"accuracy", kShareUp},
    {"precision", kShareUp},
    {"recall", kShareUp},
    {"f1", kShareUp},
    {"auc", kShareUp},
    {"auroc", kShareUp},
    {"auprc", kShareUp},
    {"sensitivity", kShareUp},
    {"specificity", kShareUp},
    {"npv", kShareUp},
    {"ppv", kShareUp},
    {"tpr", kShareUp},
    {"tnr", kShareUp},
    {"true_positive_rate", kShareUp},
    {"true_negative_rate", kShareUp},
    {"iou", kShareUp},
    {"dice", kShareUp},
    {"jaccard", kShareUp},
    {"top1", kShareUp},
    {"hit_rate", kShareUp},
    {"pass_rate", kShareUp},
    {"average_precision", kShareUp},
    {"matthews_correlation", kShareUp},
    {"mcc", kShareUp},
    {"ndcg", kShareUp},
    {"mean_reciprocal_rank", kShareUp},
    {"mrr", kShareUp},
    {"demographic_parity_ratio", kShareUp},
    {"equalized_odds_ratio", kShareUp},
    {"r2", kUp},
    {"throughput_rows_per_second", kUp},
    {"fpr", kShareDown},
    {"fnr", kShareDown},
    {"false_positive_rate", kShareDown},
    {"false_negative_rate", kShareDown},
    {"error_rate", kShareDown},
    {"toxicity_rate", kShareDown},
    {"calibration_error", kShareDown},
    {"calibration_gap", kShareDown},
    {"demographic_parity_difference", kShareDown},
    {"equalized_odds_difference", kShareDown},
    {"equal_opportunity_difference", kShareDown},
    {"loss", kDown},
    {"logloss", kDown},
    {"log_loss", kDown},
    {"cross_entropy", kDown},
    {"perplexity", kDown},
    {"brier_score", kDown},
    {"mean_absolute_error", kDown},
    {"mean_squared_error", kDown},
    {"root_mean_squared_error", kDown},
    {"mean_absolute_percentage_error", kDown},
    {"mae", kDown},
    {"mse", kDown},
    {"rmse", kDown},
    {"mape", kDown},
    {"golden_mismatches", kDown},
    {"latency_mean_seconds", kDown},
    {"latency_p50_seconds", kDown},
    {"latency_p95_seconds", kDown},
    {"latency_p99_seconds", kDown},
};

// Endings of a name that leave its scale what it is.
constexpr std::string_view kEndings[] = {"_change", "_macro", "_micro", "_weighted", "_score"};

/// recall_at_10 and accuracy_top5 without what follows the name.
std::string_view without_cutoff(std::string_view name) {
  const std::size_t digits = name.find_last_not_of("0123456789");
  if (digits == std::string_view::npos || digits + 1 == name.size()) return name;
  const std::string_view front = name.substr(0, digits + 1);
  for (const std::string_view cutoff : {"_at_", "_top", "_top_"})
    if (front.ends_with(cutoff)) return front.substr(0, front.size() - cutoff.size());
  return name;
}

std::optional<MetricScale> looked_up(std::string_view name) {
  const auto found = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& known) {
    if (!name.ends_with(known.name)) return false;
    const std::string_view before = name.substr(0, name.size() - known.name.size());
    // A loss of something else than of a model is none: weight_loss.
    return before.empty() || (before.ends_with('_') && known.name != "loss");
  });
  return found == std::end(kKnown) ? std::nullopt : std::optional<MetricScale>(found->scale);
}

}  // namespace

std::optional<MetricScale> known_scale(const std::string& name) {
  const std::string usual = usual_spelling(name);
  std::string_view left = usual;
  while (true) {
    if (const auto found = looked_up(left)) return found;
    std::string_view shorter = without_cutoff(left);
    for (const std::string_view ending : kEndings)
      if (shorter.size() == left.size() && left.ends_with(ending)) shorter.remove_suffix(ending.size());
    if (shorter.size() == left.size()) return std::nullopt;
    left = shorter;
  }
}

Result<MetricScale> scale_of(const std::string& name, std::optional<Better> said) {
  const std::optional<MetricScale> known = known_scale(name);
  if (!known && !said)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("Whether more or less is better of '{}' is not known.", name),
                      "Say it: --lower-is-better or --higher-is-better, in a configuration and over HTTP "
                      "lower_is_better: true or false.");
  if (known && said && known->better != *said)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("Of '{}' {} is better, and the opposite was said.", name,
                                  known->better == Better::kLower ? "less" : "more"),
                      "Leave it out, or give a metric of another meaning another name.");
  if (known) return *known;
  return MetricScale{*said, is_known_rate(name)};
}

}  // namespace backstay::registry
