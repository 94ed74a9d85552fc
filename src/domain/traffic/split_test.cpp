#include "domain/traffic/split.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace backstay::traffic {
namespace {

Split canary(std::uint32_t ppm) {
  return {{{"1.0.0", Role::kStable, kWhole - ppm}, {"2.0.0", Role::kCandidate, ppm}}, "1.0.0", "", 0};
}

TEST(Split, EveryDrawHasAnArmAndSharesAreExact) {
  const Split split = canary(50'000);
  ASSERT_TRUE(is_valid(split));
  std::array<int, 2> counts{};
  for (std::uint32_t draw = 0; draw < kWhole; ++draw) ++counts.at(choose(split, draw));
  EXPECT_EQ(counts[0], 950'000);
  EXPECT_EQ(counts[1], 50'000);
}

TEST(Split, NobodyFlipsBackAsTheShareRises) {
  for (int user = 0; user < 2'000; ++user) {
    const std::uint32_t draw = sticky_draw("diagnosis-7", std::to_string(user));
    bool moved = false;
    for (const std::uint32_t ppm : {0U, 50'000U, 250'000U, 1'000'000U}) {
      const bool on_candidate = choose(canary(ppm), draw) == 1;
      EXPECT_TRUE(on_candidate || !moved);
      moved = on_candidate;
    }
    EXPECT_TRUE(moved);
  }
}

TEST(Split, StickyDrawsAreSpreadEvenlyAndDifferBetweenRollouts) {
  int below = 0;
  int same = 0;
  for (int user = 0; user < 20'000; ++user) {
    const std::string key = "user-" + std::to_string(user);
    const bool first = sticky_draw("a-1", key) < 50'000;
    below += first ? 1 : 0;
    same += first && sticky_draw("a-2", key) < 50'000 ? 1 : 0;
  }
  EXPECT_NEAR(below, 1'000, 130);  // 4 sigma
  EXPECT_NEAR(same, 50, 30);       // the same users are not always the first to meet a candidate
}

TEST(Split, RefusesSharesThatDoNotAddUpAndUnknownFallbacks) {
  Split split = canary(50'000);
  split.arms[0].ppm -= 1;
  EXPECT_FALSE(is_valid(split));
  split = canary(50'000);
  split.fallback = "9.9.9";
  EXPECT_FALSE(is_valid(split));
  split = canary(50'000);
  split.arms[1].version = "1.0.0";
  EXPECT_FALSE(is_valid(split));
}

}  // namespace
}  // namespace backstay::traffic
