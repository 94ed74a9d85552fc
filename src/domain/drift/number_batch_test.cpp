#include "domain/drift/number_batch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.hpp"
#include "domain/drift/value_hash.hpp"

namespace backstay::drift {
namespace {

std::vector<double> some_numbers(std::size_t count) {
  Random random(count + 1);
  std::vector<double> out(count);
  for (double& number : out) number = 1e3 * (random.unit() - 0.5);
  return out;
}

TEST(NumberBatch, CopiesAnyCountAndSaysWhetherAllAreFinite) {
  for (std::size_t count = 0; count <= 64; ++count) {
    std::vector<double> numbers = some_numbers(count);
    if (count > 0) numbers[count / 2] = -0.0;
    std::vector<double> copy(count, 1);
    EXPECT_TRUE(copy_finite(numbers, copy.data())) << count;
    EXPECT_EQ(copy, numbers);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_FALSE(copy[i] == 0 && std::signbit(copy[i])) << count;
      for (const double wrong : {std::numeric_limits<double>::infinity(), std::nan("")}) {
        std::vector<double> others = numbers;
        others[i] = wrong;
        EXPECT_FALSE(copy_finite(others, copy.data())) << count;
      }
    }
  }
}

TEST(NumberBatch, HashesAnyCountAsOneByOne) {
  constexpr std::uint64_t kBits = 0b1100ULL << 40;
  for (std::size_t count = 0; count <= 64; ++count) {
    const std::vector<double> numbers = some_numbers(count);
    std::array<std::uint64_t, 64> hashes{};
    const std::uint64_t without = hash_numbers(numbers, kBits, hashes.data());
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(hashes[i], hash_of_number(numbers[i])) << count;
      EXPECT_EQ(without >> i & 1, (hashes[i] & kBits) == 0 ? 1U : 0U) << count;
    }
    EXPECT_EQ(count < 64 ? without >> count : 0, 0U) << count;
    EXPECT_EQ(hash_numbers(numbers, 0, hashes.data()), count < 64 ? (1ULL << count) - 1 : ~0ULL);
  }
}

TEST(NumberBatch, ExtremesAreThoseOfAnyCount) {
  for (std::size_t count = 1; count <= 200; ++count) {
    const std::vector<double> numbers = some_numbers(count);
    const Extent extent = extent_of(numbers);
    EXPECT_EQ(extent.least, *std::min_element(numbers.begin(), numbers.end())) << count;
    EXPECT_EQ(extent.most, *std::max_element(numbers.begin(), numbers.end())) << count;
  }
}

TEST(NumberBatch, ASumKeepsWhatLargeNumbersWouldSwallow) {
  std::vector<double> numbers(100, 0.25);
  numbers[3] = 1e17;
  numbers[77] = -1e17;
  const Extent extent = extent_of(numbers);
  EXPECT_EQ(extent.sum + extent.sum_rest, 24.5);
}

}  // namespace
}  // namespace backstay::drift
