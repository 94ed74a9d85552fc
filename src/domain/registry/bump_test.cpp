#include "domain/registry/bump.hpp"

#include <gmock/gmock.h>

namespace backstay::registry {
namespace {

using testing::HasSubstr;

Manifest manifest(const char* version) {
  Manifest m;
  m.ref = {"m", *SemanticVersion::parse(version)};
  m.artifacts = {{"model.onnx", 10, sha256("weights")}};
  m.signature.inputs = {{"x", "FP32", {-1, 30}}};
  m.signature.outputs = {{"p", "FP32", {-1, 1}}};
  m.config = {{"seed", "1"}};
  return m;
}

TEST(Bump, NothingChangedIsNoNewVersion) {
  EXPECT_EQ(advise_bump(manifest("1.2.3"), manifest("1.2.3")).bump, Bump::kNone);
}

TEST(Bump, NewWeightsAreAMinorVersion) {
  Manifest next = manifest("1.2.3");
  next.artifacts[0].sha256 = sha256("other");
  next.config["seed"] = "2";
  const BumpAdvice advice = advise_bump(manifest("1.2.3"), next);
  EXPECT_EQ(advice.bump, Bump::kMinor);
  EXPECT_EQ(advice.next.str(), "1.3.0");
  ASSERT_EQ(advice.reasons.size(), 2u);
  EXPECT_THAT(advice.reasons[0], HasSubstr("model.onnx"));
}

TEST(Bump, WhatIsAroundTheModelIsAPatch) {
  Manifest next = manifest("1.2.3");
  next.environment.os = "Debian 12";
  EXPECT_EQ(advise_bump(manifest("1.2.3"), next).next.str(), "1.2.4");
}

TEST(Bump, AChangedInputNeedsAMajorVersion) {
  Manifest next = manifest("1.3.0");
  next.signature.inputs[0].shape = {-1, 31};
  const auto refused = check_bump(manifest("1.2.3"), next);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("the input 'x' was FP32[-1,30] and is FP32[-1,31]"));
  EXPECT_THAT(refused.error().hint, HasSubstr("2.0.0"));
  next.ref.version = *SemanticVersion::parse("2.0.0");
  EXPECT_TRUE(check_bump(manifest("1.2.3"), next));
}

TEST(Bump, AnInputMoreOrAnOutputLessBreaksAnOutputMoreDoesNot) {
  Manifest next = manifest("1.3.0");
  next.signature.inputs.push_back({"y", "FP32", {-1}});
  EXPECT_FALSE(check_bump(manifest("1.2.3"), next));
  next = manifest("1.3.0");
  next.signature.outputs.clear();
  EXPECT_FALSE(check_bump(manifest("1.2.3"), next));
  next = manifest("1.3.0");
  next.signature.outputs.push_back({"why", "BYTES", {-1}});
  EXPECT_TRUE(check_bump(manifest("1.2.3"), next));
}

TEST(Bump, AWiderInputIsFineAWiderOutputIsNot) {
  Manifest fixed = manifest("1.0.0");
  fixed.signature.inputs[0].shape = {1, 30};
  EXPECT_TRUE(check_bump(fixed, manifest("1.1.0")));
  EXPECT_FALSE(check_bump(manifest("1.0.0"), [&] {
    fixed.ref.version.minor = 1;
    return fixed;
  }()));
  fixed = manifest("1.0.0");
  fixed.signature.outputs[0].shape = {1, 1};
  EXPECT_FALSE(check_bump(fixed, manifest("1.1.0")));
}

TEST(Bump, BeforeTheFirstReleaseABreakMovesTheMinorNumber) {
  Manifest next = manifest("0.3.1");
  next.signature.inputs[0].name = "features";
  EXPECT_FALSE(check_bump(manifest("0.3.0"), next));
  next.ref.version = *SemanticVersion::parse("0.4.0");
  EXPECT_TRUE(check_bump(manifest("0.3.0"), next));
  EXPECT_EQ(advise_bump(manifest("0.3.0"), next).next.str(), "0.4.0");
}

TEST(Bump, AVersionThatNeverDeclaredItsSignatureHoldsNobodyBack) {
  Manifest before = manifest("1.0.0");
  before.signature = {};
  EXPECT_TRUE(check_bump(before, manifest("1.0.1")));
}

}  // namespace
}  // namespace backstay::registry
