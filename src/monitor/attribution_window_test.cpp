#include "monitor/attribution_window.hpp"

#include <gtest/gtest.h>

namespace backstay::monitor {
namespace {

Monotonic at(int second) {
  return Monotonic(seconds(second));
}

traffic::Outcome answer(std::uint64_t number, int second) {
  traffic::Outcome out;
  out.prediction = {1, number};
  out.at = at(second);
  return out;
}

TEST(AttributionWindow, WhatComesInTimeIsPutDownToTheAnswerOnce) {
  AttributionWindow window(seconds(10));
  window.open(answer(1, 0), true, 0.25);
  EXPECT_FALSE(window.take({1, 2}, at(1)));
  const auto taken = window.take({1, 1}, at(10));
  ASSERT_TRUE(taken);
  EXPECT_TRUE(taken->candidate);
  EXPECT_EQ(taken->assignment_probability, 0.25);
  EXPECT_FALSE(window.take({1, 1}, at(10)));
  EXPECT_FALSE(window.close_one(at(100))) << "It had one.";
}

TEST(AttributionWindow, MarksAllButTheFirstAnswerOfAUser) {
  AttributionWindow window(seconds(10));
  for (std::uint64_t number : {1, 2, 3}) {
    traffic::Outcome one = answer(number, 0);
    one.cluster = number == 3 ? 0 : 7;  // The third is nobody's.
    window.open(one, true, 0.25);
  }
  EXPECT_TRUE(window.take({1, 2}, at(1))->repeated) << "Known first, and not the first answer.";
  EXPECT_FALSE(window.close_one(at(11))->repeated);
  EXPECT_FALSE(window.close_one(at(11))->repeated);
}

TEST(AttributionWindow, ThatNothingCameCountsWhenTheWindowClosesAndNotBefore) {
  AttributionWindow window(seconds(10));
  window.open(answer(1, 0), true, 0.25);
  window.open(answer(2, 5), false, 0.25);
  EXPECT_FALSE(window.close_one(at(10)));
  EXPECT_TRUE(window.close_one(at(11))->candidate);
  EXPECT_FALSE(window.close_one(at(11)));
  EXPECT_FALSE(window.take({1, 1}, at(11)));
  EXPECT_FALSE(window.close_one(at(16))->candidate);
  EXPECT_EQ(window.open_windows(), 0U);
}

TEST(AttributionWindow, TooLateIsTooLateEvenBeforeItWasClosed) {
  AttributionWindow window(seconds(10));
  window.open(answer(1, 0), true, 0.25);
  EXPECT_FALSE(window.take({1, 1}, at(11)));
  EXPECT_TRUE(window.close_one(at(11)));
}

TEST(AttributionWindow, FollowsThoseThatAreOpenToTheirEndWhenThereAreTooMany) {
  AttributionWindow window(seconds(10));
  for (std::uint64_t i = 0; i <= AttributionWindow::kMost; ++i) window.open(answer(i, 0), true, 0.5);
  EXPECT_EQ(window.open_windows(), AttributionWindow::kMost);
  EXPECT_TRUE(window.take({1, 0}, at(1)));
  EXPECT_FALSE(window.take({1, AttributionWindow::kMost}, at(1))) << "left out";
  while (window.close_one(at(11))) {
  }
  EXPECT_TRUE(window.open(answer(7, 11), true, 0.5)) << "There is room again.";
}

}  // namespace
}  // namespace backstay::monitor
