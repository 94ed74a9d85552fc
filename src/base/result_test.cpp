#include "base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace backstay {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Unexpected(ErrorCode::kInvalidArgument, "odd", "give an even number");
  return n / 2;
}

Result<int> quarter(int n) {
  TRY(const int once, half(n));
  TRY(const int twice, half(once));
  return twice;
}

Result<void> check(int n) {
  TRY_DO(quarter(n));
  return {};
}

TEST(Result, TryPassesValuesOnAndReturnsTheFirstError) {
  EXPECT_EQ(quarter(8).value(), 2);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_TRUE(check(4));
  EXPECT_EQ(check(3).error().code, ErrorCode::kInvalidArgument);
}

TEST(Result, CarriesMoveOnlyValues) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(Result, FullDiskSaysHowToGoOn) {
  const Error error = error_from_errno(ENOSPC, "writing model.onnx");
  EXPECT_EQ(error.code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(error.message, "writing model.onnx: No space left on device.");
  EXPECT_NE(error.hint.find("Free some space"), std::string::npos);
  EXPECT_EQ(error_from_errno(EFBIG, "x").code, ErrorCode::kResourceExhausted);
}

TEST(Result, EveryFailureOfTheSystemSaysWhatToDo) {
  for (const int number : {ENOENT, ENOTDIR, EACCES, EMFILE, EADDRINUSE, ECONNRESET, ETIMEDOUT, EIO})
    EXPECT_NE(error_from_errno(number, "x").hint, "") << number;
}

}  // namespace
}  // namespace backstay
