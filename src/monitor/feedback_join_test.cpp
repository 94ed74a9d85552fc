#include "monitor/feedback_join.hpp"

#include <gtest/gtest.h>

namespace backstay::monitor {
namespace {

traffic::Outcome outcome(std::uint64_t number, std::uint32_t version = 1) {
  traffic::Outcome out;
  out.prediction = {0, number};
  out.version = version;
  return out;
}

TEST(FeedbackJoin, TellsWhichVersionAnswered) {
  FeedbackJoin join;
  join.remember(outcome(1, 7));
  const auto joined = join.label({0, 1});
  EXPECT_EQ(joined.fate, FeedbackJoin::Fate::kJoined);
  EXPECT_EQ(joined.outcome.version, 7u);
}

TEST(FeedbackJoin, CountsALabelOnce) {
  FeedbackJoin join;
  join.remember(outcome(1));
  EXPECT_EQ(join.label({0, 1}).fate, FeedbackJoin::Fate::kJoined);
  EXPECT_EQ(join.label({0, 1}).fate, FeedbackJoin::Fate::kDuplicate);
}

TEST(FeedbackJoin, ForgetsTheOldestWhenItIsFull) {
  FeedbackJoin join(3);
  for (std::uint64_t i = 1; i <= 5; ++i) join.remember(outcome(i));
  for (const auto& [number, known] : {std::pair{1, false}, {2, false}, {3, true}, {4, true}, {5, true}})
    EXPECT_EQ(join.label({0, static_cast<std::uint64_t>(number)}).fate == FeedbackJoin::Fate::kJoined, known) << number;
}

TEST(FeedbackJoin, SaysThatItNeverHeardOfAPrediction) {
  EXPECT_EQ(FeedbackJoin().label({1, 2}).fate, FeedbackJoin::Fate::kUnknown);
}

}  // namespace
}  // namespace backstay::monitor
