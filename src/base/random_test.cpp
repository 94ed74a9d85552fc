#include "base/random.hpp"

#include <gtest/gtest.h>

namespace backstay {
namespace {

TEST(Random, TheSameSeedGivesTheSameSequence) {
  Random a(42);
  Random b(42);
  Random c(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const auto value = a.next();
    EXPECT_EQ(value, b.next());
    differs |= value != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, BelowIsEvenOverItsRange) {
  Random random(1);
  std::array<int, 5> counts{};
  for (int i = 0; i < 50'000; ++i) ++counts.at(random.below(5));
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 400);  // 4 sigma of a binomial
}

}  // namespace
}  // namespace backstay
