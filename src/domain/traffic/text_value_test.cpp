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

TEST(TextValue, ATextThatIsANumberIsThatNumberAndACodeIsNone) {
  EXPECT_EQ(value_of("0.98"), 0.98F);
  EXPECT_EQ(value_of("-12"), -12);
  EXPECT_EQ(value_of("1e-3"), 0.001F);
  EXPECT_EQ(value_of("16777216"), 16'777'216);
  EXPECT_EQ(value_of("true"), 1);
  EXPECT_EQ(value_of("false"), 0);
  for (const char* code : {"007", "+1", "16777217", "254837009", "123e45", "1234e56", "nan", "inf", "0x10", "5%", ".5",
                           "1.", "1-2", "-", "", "1e", "berlin"})
    EXPECT_EQ(value_of(code), text_number(code)) << code;
}

TEST(TextValue, OfAHeaderAlsoLongNumbersAreNumbers) {
  EXPECT_EQ(value_of_header("254837009"), 254'837'009.0F);
  EXPECT_EQ(value_of_header("007"), text_number("007"));
}

/// Recordings hold it.
TEST(TextValue, StaysWhatItWas) {
  EXPECT_EQ(text_number("berlin"), -0x1.22d4d8p100F);
}

}  // namespace
}  // namespace backstay::traffic
