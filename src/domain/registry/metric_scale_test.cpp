#include "domain/registry/metric_scale.hpp"

#include <gtest/gtest.h>

namespace backstay::registry {
namespace {

TEST(MetricScale, KnowsWhatEvaluateWrites) {
  for (const char* name : {"accuracy",
                           "precision",
                           "recall",
                           "specificity",
                           "f1",
                           "balanced_accuracy",
                           "roc_auc",
                           "average_precision",
                           "matthews_correlation",
                           "precision_macro",
                           "recall_macro",
                           "f1_macro",
                           "r2",
                           "ndcg_at_10",
                           "precision_at_3",
                           "recall_at_20",
                           "mean_reciprocal_rank",
                           "mean_average_precision",
                           "demographic_parity_ratio",
                           "equalized_odds_ratio",
                           "behaviour_pass_rate",
                           "throughput_rows_per_second",
                           "robustness_accuracy",
                           "robustness_roc_auc_change",
                           "accuracy_change",
                           "ndcg_at_10_change",
                           "f1_macro_change"}) {
    ASSERT_TRUE(known_scale(name)) << name;
    EXPECT_EQ(known_scale(name)->better, Better::kHigher) << name;
  }
  for (const char* name : {"log_loss", "brier_score", "calibration_error", "mean_absolute_error", "mean_squared_error",
                           "root_mean_squared_error", "mean_absolute_percentage_error", "demographic_parity_difference",
                           "equalized_odds_difference", "equal_opportunity_difference", "calibration_gap",
                           "latency_p99_seconds", "latency_mean_seconds", "golden_mismatches", "toxicity_rate",
                           "robustness_log_loss", "log_loss_change", "robustness_brier_score_change"}) {
    ASSERT_TRUE(known_scale(name)) << name;
    EXPECT_EQ(known_scale(name)->better, Better::kLower) << name;
  }
}

TEST(MetricScale, KnowsUsualNamesAndSpellings) {
  EXPECT_EQ(known_scale("Val-Log Loss")->better, Better::kLower);
  EXPECT_EQ(known_scale("false_positive_rate")->better, Better::kLower);
  EXPECT_EQ(known_scale("accuracy_top5")->better, Better::kHigher);
  EXPECT_EQ(known_scale("RMSE")->better, Better::kLower);
  EXPECT_FALSE(known_scale("RMSE")->share);
  EXPECT_TRUE(known_scale("macro_f1")->share);
}

TEST(MetricScale, DoesNotGuess) {
  for (const char* name : {"mean_error", "positive_rate", "small_groups", "weight_loss", "precision_error", "pii_rate",
                           "accuracy_gap", "", "_change", "10", "loss_of_precision_at_work"})
    EXPECT_FALSE(known_scale(name)) << name;
}

TEST(MetricScale, OfAnUnknownMetricSomebodyHasToSayIt) {
  EXPECT_EQ(scale_of("usefulness", std::nullopt).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(scale_of("usefulness", Better::kLower)->better, Better::kLower);
  EXPECT_EQ(scale_of("log_loss", Better::kLower)->better, Better::kLower);
  EXPECT_FALSE(scale_of("log_loss", Better::kHigher));
  EXPECT_FALSE(scale_of("accuracy", Better::kLower));
}

}  // namespace
}  // namespace backstay::registry
