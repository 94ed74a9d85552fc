#include "domain/registry/metric_pooling.hpp"

#include <gtest/gtest.h>

namespace backstay::registry {
namespace {

TEST(MetricPooling, TellsMeansOverRowsFromWhatIsNone) {
  for (const char* name :
       {"accuracy", "Val-Log Loss", "brier_score", "mean_absolute_error", "mean_squared_error", "latency_mean_seconds",
        "error_rate", "behaviour_pass_rate", "toxicity_rate", "robustness_accuracy", "accuracy_change", "accuracy_top5",
        "ndcg_at_10", "recall_at_20", "mean_reciprocal_rank", "mean_average_precision", "cost_per_case"})
    EXPECT_EQ(pooling_of(name), Pooling::kMean) << name;
  for (const char* name : {"root_mean_squared_error", "RMSE", "val_rmse", "robustness_root_mean_squared_error"})
    EXPECT_EQ(pooling_of(name), Pooling::kRootOfMean) << name;
  for (const char* name : {"r2",
                           "roc_auc",
                           "average_precision",
                           "precision",
                           "recall",
                           "f1",
                           "macro_f1",
                           "accuracy_macro",
                           "balanced_accuracy",
                           "specificity",
                           "matthews_correlation",
                           "calibration_error",
                           "latency_p50_seconds",
                           "latency_p99_seconds",
                           "false_positive_rate",
                           "demographic_parity_ratio",
                           "equalized_odds_difference",
                           "accuracy_gap",
                           "min_accuracy",
                           "median_absolute_error",
                           "throughput_rows_per_second",
                           "golden_mismatches",
                           "root_mean_squared_error_change",
                           "robustness_roc_auc_change"})
    EXPECT_EQ(pooling_of(name), Pooling::kNone) << name;
}

TEST(MetricPooling, RefusesWhatDoesNotFollowFromSlices) {
  EXPECT_TRUE(pooling_for_mixtures("accuracy"));
  const auto refused = pooling_for_mixtures("r2");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace backstay::registry
