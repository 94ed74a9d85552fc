#include "services/row_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.hpp"

namespace backstay::services {
namespace {

std::vector<Timestamp> minutes(std::size_t count) {
  std::vector<Timestamp> out;
  for (std::size_t i = 0; i < count; ++i) out.emplace_back(seconds(1'800'000'000 + 60 * i));
  return out;
}

bool in_order(const std::vector<Timestamp>& times) {
  RowOrder order;
  for (const Timestamp time : times) order.add(time);
  return order.in_order();
}

std::vector<Timestamp> shuffled(std::vector<Timestamp> times) {
  Random random(3);
  for (std::size_t i = times.size(); i > 1; --i)
    std::swap(times[i - 1], times[static_cast<std::size_t>(random.unit() * static_cast<double>(i))]);
  return times;
}

TEST(RowOrder, IsThatOfTheTimes) {
  for (const std::size_t rows : {1u, 100u, 4'096u, 4'097u, 20'000u}) EXPECT_TRUE(in_order(minutes(rows))) << rows;
  for (const std::size_t rows : {10u, 100u, 20'000u}) EXPECT_FALSE(in_order(shuffled(minutes(rows)))) << rows;
  std::vector<Timestamp> backwards = minutes(20'000);
  std::reverse(backwards.begin(), backwards.end());
  EXPECT_FALSE(in_order(backwards));
  EXPECT_TRUE(RowOrder().in_order());
}

TEST(RowOrder, IsKeptByRowsThatAreALittleLate) {
  std::vector<Timestamp> times = minutes(1'000);
  for (std::size_t i = 0; i + 8 <= times.size(); i += 8)
    std::reverse(times.begin() + static_cast<std::ptrdiff_t>(i), times.begin() + static_cast<std::ptrdiff_t>(i + 8));
  EXPECT_TRUE(in_order(times));
  times[900] = times[0];
  EXPECT_TRUE(in_order(times)) << "one of a thousand";
}

TEST(RowOrder, IsLostByAFileThatIsTwoFiles) {
  std::vector<Timestamp> times = minutes(1'000);
  std::rotate(times.begin(), times.begin() + 500, times.end());
  EXPECT_FALSE(in_order(times));
}

TEST(RowOrder, IgnoresRowsWithoutATime) {
  RowOrder order;
  for (const Timestamp time : minutes(50)) {
    order.add(time);
    order.add(std::nullopt);
  }
  EXPECT_TRUE(order.in_order());
}

}  // namespace
}  // namespace backstay::services
