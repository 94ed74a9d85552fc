#include "gateway/is_prediction.hpp"

#include <gtest/gtest.h>

namespace backstay::gateway {
namespace {

TEST(IsPrediction, IsNotWhatAsksAboutAModel) {
  for (const char* target :
       {"/", "/v1/models", "/v1/models/gpt-4", "/docs", "/openapi.json?x=1", "/v2/models/e/ready", "/v2/models/e",
        "/v2/health/live", "/v2/models/e/versions/1/ready", "/e/health", "/e/healthz?verbose=1", "/ping", "/metrics"}) {
    EXPECT_FALSE(is_prediction("GET", target)) << target;
    EXPECT_TRUE(is_prediction("POST", target)) << target;
  }
  for (const char* method : {"HEAD", "OPTIONS"}) EXPECT_FALSE(is_prediction(method, "/v2/models/e/infer"));
}

TEST(IsPrediction, IsWhatAsksAModelAlsoByGet) {
  EXPECT_TRUE(is_prediction("POST", "/v2/models/e/infer"));
  EXPECT_TRUE(is_prediction("PUT", "/e"));
  EXPECT_TRUE(is_prediction("GET", "/e/predict?x=1"));
  EXPECT_TRUE(is_prediction("GET", "/already"));
}

}  // namespace
}  // namespace backstay::gateway
