#include "gateway/answer_queue.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace backstay::gateway {
namespace {

AnswerSample sample(std::size_t bytes, std::uint64_t number = 0) {
  AnswerSample out;
  out.outcome.prediction.low = number;
  out.body.assign(bytes, 'x');
  return out;
}

TEST(AnswerQueue, GivesThemInOrderAndEndsWhenItIsClosed) {
  AnswerQueue queue;
  std::thread examiner([&] {
    for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(queue.pop()->outcome.prediction.low, i);
    EXPECT_FALSE(queue.pop());
  });
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_TRUE(queue.push(sample(10, i)));
  queue.close();
  examiner.join();
  EXPECT_FALSE(queue.push(sample(1)));
}

TEST(AnswerQueue, LosesAndCountsWhatDoesNotFit) {
  AnswerQueue queue;
  for (std::size_t i = 0; i < AnswerQueue::kMost; ++i) ASSERT_TRUE(queue.push(sample(1)));
  EXPECT_FALSE(queue.push(sample(1)));
  EXPECT_EQ(queue.missed(), 1U);
  AnswerQueue large;
  EXPECT_FALSE(large.push(sample(AnswerQueue::kMostBytes + 1)));
  EXPECT_TRUE(large.push(sample(AnswerQueue::kMostBytes)));
  EXPECT_FALSE(large.push(sample(1)));
  ASSERT_TRUE(large.pop());
  EXPECT_TRUE(large.push(sample(1)));
}

}  // namespace
}  // namespace backstay::gateway
