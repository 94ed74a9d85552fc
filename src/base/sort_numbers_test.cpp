#include "base/sort_numbers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.hpp"

namespace backstay {
namespace {

void expect_sorted(const std::vector<double>& numbers, const char* what) {
  std::vector<double> wanted = numbers;
  std::sort(wanted.begin(), wanted.end());
  for (std::size_t i = 0; i < number_sorts().size(); ++i) {
    std::vector<double> sorted = numbers;
    number_sorts()[i](sorted);
    EXPECT_EQ(sorted, wanted) << what << ", " << numbers.size() << " numbers, sort " << i;
  }
  std::vector<double> sorted = numbers;
  sort_numbers(sorted);
  EXPECT_EQ(sorted, wanted) << what << ", " << numbers.size() << " numbers";
}

TEST(SortNumbers, SortsAnyCountAsStdSortDoes) {
  Random random(3);
  for (std::size_t count = 0; count < 5'000; count += 1 + count / 7) {
    std::vector<double> numbers(count);
    for (double& number : numbers) number = 1e6 * (random.unit() - 0.5);
    expect_sorted(numbers, "different");
    for (double& number : numbers) number = random.unit() < 0.3 ? 2.5 : number;
    expect_sorted(numbers, "one of them often");
    for (double& number : numbers) number = std::floor(3 * random.unit());
    expect_sorted(numbers, "three values");
  }
}

TEST(SortNumbers, SortsWhatIsInOrderInReverseOrAllTheSame) {
  constexpr std::size_t kCount = 3'000;
  std::vector<double> numbers(kCount);
  for (std::size_t i = 0; i < kCount; ++i) numbers[i] = static_cast<double>(i) - 100;
  expect_sorted(numbers, "in order");
  std::reverse(numbers.begin(), numbers.end());
  expect_sorted(numbers, "in reverse");
  for (std::size_t i = 0; i < kCount; ++i) numbers[i] = static_cast<double>(std::min(i, kCount - i));
  expect_sorted(numbers, "up and down");
  expect_sorted(std::vector<double>(kCount, 7.0), "the same");
  expect_sorted({1e308, -1e308, 5e-324, 0, -5e-324, 1.7976931348623157e308}, "extremes");
}

}  // namespace
}  // namespace backstay
