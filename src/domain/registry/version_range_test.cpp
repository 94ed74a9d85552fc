#include "domain/registry/version_range.hpp"

#include <gtest/gtest.h>

namespace backstay::registry {
namespace {

bool in(const char* range, const char* version) {
  const auto parsed = VersionRange::parse(range);
  EXPECT_TRUE(parsed) << range;
  return parsed && parsed->contains(version);
}

TEST(CompareVersions, OrdersNumbersByValueAndWordsBeforeNumbers) {
  EXPECT_TRUE(compare_versions("9", "10") < 0);
  EXPECT_TRUE(compare_versions("14", "14.0.0") == 0);
  EXPECT_TRUE(compare_versions("14rc1", "14") < 0);
  EXPECT_TRUE(compare_versions("2.0.0-rc.1", "2.0.0-rc.2") < 0);
  EXPECT_TRUE(compare_versions("v1.2", "1.2") == 0);
  EXPECT_TRUE(compare_versions("2026-08", "2026-11") < 0);
  EXPECT_TRUE(compare_versions("99999999999999999999998", "99999999999999999999999") < 0);
}

TEST(VersionRange, TakesConditionsTogetherAndAlternativesApart) {
  EXPECT_TRUE(in(">=12 <15", "14.2"));
  EXPECT_FALSE(in(">=12, <15", "15.0"));
  EXPECT_TRUE(in(">= 12", "12"));
  EXPECT_TRUE(in("^2.1 || ^3.0", "3.4"));
  EXPECT_FALSE(in("^2.1 || ^3.0", "2.0"));
  EXPECT_FALSE(in("!=14.1", "14.1.0"));
  EXPECT_TRUE(in("14.2", "14.2.0"));
  EXPECT_FALSE(in("14.2", "14.2.1"));
}

TEST(VersionRange, CaretTildeAndStarSayHowFarItMayMove) {
  EXPECT_TRUE(in("^2.1", "2.9.9"));
  EXPECT_FALSE(in("^2.1", "3.0"));
  EXPECT_TRUE(in("^0.3.1", "0.3.9"));
  EXPECT_FALSE(in("^0.3.1", "0.4"));
  EXPECT_TRUE(in("~2.1", "2.1.7"));
  EXPECT_FALSE(in("~2.1", "2.2"));
  EXPECT_TRUE(in("~=2.1", "2.7"));
  EXPECT_FALSE(in("~=2.1.3", "2.2"));
  EXPECT_TRUE(in("12.*", "12.9"));
  EXPECT_FALSE(in("12.*", "120"));
  EXPECT_TRUE(in("*", "anything"));
}

TEST(VersionRange, RefusesWhatItCannotRead) {
  for (const char* bad : {"", "  ", ">=", "=>3", "1.*.2", "~=2", "^abc", "|| 1", "1 ||", "<>3", "?"})
    EXPECT_FALSE(VersionRange::parse(bad)) << bad;
}

}  // namespace
}  // namespace backstay::registry
