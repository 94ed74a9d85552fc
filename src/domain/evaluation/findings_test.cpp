#include "domain/evaluation/findings.hpp"

#include <gtest/gtest.h>

namespace backstay::evaluation {
namespace {

/// Two classes; the second from 0.5 on.
Predictions scored(std::vector<double> scores) {
  Predictions out;
  out.classes = {"no", "yes"};
  for (const double score : scores) {
    out.truth.push_back(1);
    out.predicted.push_back(score >= 0.5 ? 1 : 0);
  }
  out.scores = std::move(scores);
  return out;
}

Behaviour same(double tolerance) {
  Behaviour out;
  out.name = "blind";
  out.tolerance = tolerance;
  return out;
}

TEST(Behaviour, TheSameIsTheClassAndWithAToleranceTheScore) {
  const Predictions before = scored({0.1, 0.4, 0.6, 0.9});
  const Predictions after = scored({0.1005, 0.45, 0.49, 0.9});
  EXPECT_EQ(behaviour_metric(same(0), before, after, 0.95)->value, 0.75);
  EXPECT_EQ(behaviour_metric(same(0.001), before, after, 0.95)->value, 0.5);
  EXPECT_EQ(behaviour_metric(same(0.2), before, after, 0.95)->value, 1);
}

TEST(Behaviour, AToleranceNeedsScores) {
  Predictions labels = scored({0.1, 0.9});
  labels.scores.clear();
  EXPECT_TRUE(behaviour_metric(same(0), labels, labels, 0.95));
  const auto refused = behaviour_metric(same(0.01), labels, labels, 0.95);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace backstay::evaluation
