#include "domain/traffic/text_value.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

namespace backstay::traffic {
namespace {

TEST(TextValue, EachTextHasANumberThatIsNoValueOfItsOwn) {
  std::set<float> numbers;
  for (int i = 0; i < 1'000; ++i) numbers.insert(text_number("site-" + std::to_string(i)));
  EXPECT_GE(numbers.size(), 999U);
  for (const float number : numbers) EXPECT_TRUE(is_text(number));
  EXPECT_EQ(text_number("Köln"), text_number("Köln"));
  EXPECT_NE(text_number("berlin"), text_number("Berlin"));
  EXPECT_TRUE(is_text(text_number("")));
}

TEST(TextValue, NumbersStandForNoText) {
  for (const double number : {0.0, -1.0, -1e30, 1e38, -3e38, std::nan("")}) EXPECT_FALSE(is_text(number)) << number;
}

/// Recordings hold it.
TEST(TextValue, StaysWhatItWas) {
  EXPECT_EQ(text_number("berlin"), -0x1.22d4d8p100F);
}

}  // namespace
}  // namespace backstay::traffic
