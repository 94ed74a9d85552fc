#include "tables/value_text.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace backstay::tables {
namespace {

std::string date(std::int64_t days) {
  std::string out;
  append_date(out, days);
  return out;
}

std::string timestamp(std::int64_t ticks, int digits, bool utc = false) {
  std::string out;
  append_timestamp(out, ticks, digits, utc);
  return out;
}

std::string number(double value) {
  std::string out;
  append_double(out, value);
  return out;
}

std::string decimal(std::int64_t unscaled, int scale) {
  std::string out;
  append_decimal(out, unscaled, scale);
  return out;
}

std::string decimal(std::string_view bytes, int scale) {
  std::string out;
  append_decimal(out, bytes, scale);
  return out;
}

TEST(ValueText, WritesDatesOfEveryYear) {
  EXPECT_EQ(date(0), "1970-01-01");
  EXPECT_EQ(date(-1), "1969-12-31");
  EXPECT_EQ(date(11016), "2000-02-29");
  EXPECT_EQ(date(-719162), "0001-01-01");
  EXPECT_EQ(date(-719529), "-0001-12-31");
  EXPECT_EQ(date(2932896), "9999-12-31");
  EXPECT_EQ(date(2932897), "+10000-01-01");
  for (const std::int64_t extreme :
       {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
    EXPECT_FALSE(date(extreme).empty());
}

TEST(ValueText, WritesOneInstantAsOneTextInEveryUnit) {
  EXPECT_EQ(timestamp(1'767'225'600, 0), "2026-01-01T00:00:00");
  EXPECT_EQ(timestamp(1'767'225'600'000, 3, true), "2026-01-01T00:00:00Z");
  EXPECT_EQ(timestamp(1'500, 3), "1970-01-01T00:00:01.500000");
  EXPECT_EQ(timestamp(1'500'000, 6), "1970-01-01T00:00:01.500000");
  EXPECT_EQ(timestamp(1'500'000'001, 9), "1970-01-01T00:00:01.500000001");
  EXPECT_EQ(timestamp(-1, 9, true), "1969-12-31T23:59:59.999999999Z");
  for (const int digits : {0, 3, 6, 9})
    for (const std::int64_t extreme :
         {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
      EXPECT_FALSE(timestamp(extreme, digits).empty());
}

TEST(ValueText, WritesNumbersAsPythonDoes) {
  EXPECT_EQ(number(1), "1.0");
  EXPECT_EQ(number(-0.0), "-0.0");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(1e15), "1000000000000000.0");
  EXPECT_EQ(number(1e16), "1e+16");
  EXPECT_EQ(number(0.0001), "0.0001");
  EXPECT_EQ(number(0.00001), "1e-05");
  EXPECT_EQ(number(5e-324), "5e-324");
  EXPECT_EQ(number(static_cast<double>(0.1F)), "0.10000000149011612");
  EXPECT_EQ(number(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(number(std::nan("")), "nan");
}

TEST(ValueText, WritesDecimalsWithAllTheirDigits) {
  EXPECT_EQ(decimal(1250, 2), "12.50");
  EXPECT_EQ(decimal(-5, 3), "-0.005");
  EXPECT_EQ(decimal(0, 2), "0.00");
  EXPECT_EQ(decimal(7, -2), "700");
  EXPECT_EQ(decimal(0, -2), "0");
  EXPECT_EQ(decimal(std::numeric_limits<std::int64_t>::min(), 0), "-9223372036854775808");
  EXPECT_EQ(decimal(std::string(1, '\xff'), 1), "-0.1");
  EXPECT_EQ(decimal(std::string("\x01", 1) + std::string(16, '\0'), 0), "340282366920938463463374607431768211456");
  EXPECT_EQ(decimal(std::string("\x80", 1) + std::string(15, '\0'), 0), "-170141183460469231731687303715884105728");
  EXPECT_EQ(decimal(std::string(32, '\0'), 3), "0.000");
}

TEST(ValueText, ReadsHalfPrecision) {
  EXPECT_EQ(half_to_double(0x3c00), 1.0);
  EXPECT_EQ(half_to_double(0xfbff), -65504.0);
  EXPECT_EQ(half_to_double(0x0001), std::ldexp(1.0, -24));
  EXPECT_EQ(half_to_double(0x7c00), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(half_to_double(0x7e00)));
}

}  // namespace
}  // namespace backstay::tables
