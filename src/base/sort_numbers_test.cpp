#include "base/sort_numbers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.hpp"

namespace backstay {
namespace {

TEST(SortNumbers, SortsAnyCountAsStdSortDoes) {
  Random random(3);
  for (const std::size_t count : {0, 1, 2, 7, 63, 64, 65, 400, 1'024, 5'000}) {
    std::vector<double> numbers(count);
    for (double& number : numbers) number = random.unit() < 0.3 ? 2.5 : 1e6 * (random.unit() - 0.5);
    std::vector<double> wanted = numbers;
    std::sort(wanted.begin(), wanted.end());
    sort_numbers(numbers);
    EXPECT_EQ(numbers, wanted) << count;
  }
}

}  // namespace
}  // namespace backstay
