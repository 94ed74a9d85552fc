#include "domain/registry/metric_pooling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "domain/registry/metric_scale.hpp"

namespace backstay::registry {

namespace {

// Of ratios whose denominator is not the rows, of orders, and of what compares groups or picks one.
constexpr std::string_view kNoMean[] = {
    "precision",  "recall",     "f1",          "fbeta",       "auc",         "auroc",      "auprc",    "roc",
    "prc",        "kappa",      "sensitivity", "balanced",    "macro",       "npv",        "ppv",      "tpr",
    "tnr",        "fpr",        "fnr",         "specificity", "dice",        "iou",        "mcc",      "jaccard",
    "matthews",   "r2",         "ece",         "pearson",     "correlation", "perplexity", "spearman", "ratio",
    "difference", "gap",        "min",         "max",         "median",      "worst",      "best",     "quantile",
    "std",        "percentile", "throughput",  "variance",    "mismatches"};

std::vector<std::string_view> words_of(std::string_view name) {
  std::vector<std::string_view> out;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('_'), name.size());
    if (end > 0) out.push_back(name.substr(0, end));
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return out;
}

bool is_percentile(std::string_view word) {
  return word.size() > 1 && word[0] == 'p' && word.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

}  // namespace

Pooling pooling_of(const std::string& name) {
  const std::string usual = usual_spelling(name);
  const std::vector<std::string_view> words = words_of(usual);
  const auto has = [&](std::string_view word) { return std::find(words.begin(), words.end(), word) != words.end(); };
  const auto says = [&](std::string_view part) { return usual.find(part) != std::string::npos; };
  if (has("rmse") || has("rmsle") || says("root_mean")) return has("change") ? Pooling::kNone : Pooling::kRootOfMean;
  if (has("at") || has("ndcg") || says("mean_average_precision")) return Pooling::kMean;  // Over queries.
  if (says("calibration") || says("true_positive") || says("false_positive") || says("true_negative") ||
      says("false_negative"))
    return Pooling::kNone;
  const bool is_no_mean = std::any_of(std::begin(kNoMean), std::end(kNoMean), has) ||
                          std::any_of(words.begin(), words.end(), is_percentile);
  return is_no_mean ? Pooling::kNone : Pooling::kMean;
}

Result<Pooling> pooling_for_mixtures(const std::string& name) {
  const Pooling out = pooling_of(name);
  if (out != Pooling::kNone) return out;
  return Unexpected(ErrorCode::kInvalidArgument,
                    fmt::format("'{}' is no mean over rows: what it would be on data like the live data does not "
                                "follow from what it is on each slice.",
                                name),
                    "Use one that is: accuracy, log_loss, brier_score, mean_absolute_error, mean_squared_error, "
                    "root_mean_squared_error.");
}

}  // namespace backstay::registry
