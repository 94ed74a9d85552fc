#include "domain/rollout/damping.hpp"

#include <gtest/gtest.h>

namespace backstay::rollout {
namespace {

using std::chrono::hours;

Timestamp at(int hour) {
  return Timestamp(hours(1'000 + hour));
}

State taken_back(const std::string& version, int hour, const std::string& trigger = "guardrail") {
  State state;
  state.id = "e-" + std::to_string(hour);
  state.candidate = version;
  state.phase = Phase::kRolledBack;
  state.phase_since = at(hour);
  state.cause = Cause{trigger, "backstay", "why", "{}"};
  return state;
}

TEST(Damping, LetsAVersionBeTriedAgainUntilItWasTakenBackOften) {
  std::vector<State> history{taken_back("1.1.0", 1), taken_back("1.1.0", 2)};
  EXPECT_FALSE(damped(history, "1.1.0", at(2)));
  history.push_back(taken_back("1.1.0", 3));
  const auto damping = damped(history, "1.1.0", at(3));
  ASSERT_TRUE(damping);
  EXPECT_EQ(damping->until, at(4));
  EXPECT_EQ(damping->reason, "1.1.0 was taken back 3 times within 24 hours, last in e-3");
  EXPECT_FALSE(damped(history, "1.1.0", at(4)));
  EXPECT_FALSE(damped(history, "1.2.0", at(3)));
}

TEST(Damping, MakesEachFurtherTimeWaitTwiceAsLongUpToADay) {
  std::vector<State> history;
  for (int i = 1; i <= 4; ++i) history.push_back(taken_back("1.1.0", i));
  EXPECT_EQ(damped(history, "1.1.0", at(4))->until, at(6));
  for (int i = 5; i <= 20; ++i) history.push_back(taken_back("1.1.0", i));
  EXPECT_EQ(damped(history, "1.1.0", at(20))->until, at(44));
}

TEST(Damping, ForgetsWhatIsLongAgo) {
  const std::vector<State> history{taken_back("1.1.0", 1), taken_back("1.1.0", 2), taken_back("1.1.0", 26)};
  EXPECT_FALSE(damped(history, "1.1.0", at(26)));
}

TEST(Damping, CountsAllVersionsOfAnEndpointTogether) {
  std::vector<State> history;
  for (int i = 1; i <= 5; ++i) history.push_back(taken_back("1." + std::to_string(i) + ".0", i));
  EXPECT_FALSE(damped(history, "2.0.0", at(5)));
  history.push_back(taken_back("1.6.0", 6));
  EXPECT_EQ(damped(history, "2.0.0", at(6))->until, at(7));
}

TEST(Damping, CountsOnlyWhatTookTrafficFromTheVersionForItsOwnSake) {
  std::vector<State> history{taken_back("1.1.0", 1), taken_back("1.1.0", 2), taken_back("1.1.0", 3, "not_ready"),
                             taken_back("1.1.0", 3, "dependency")};
  State done = taken_back("1.1.0", 3);
  done.phase = Phase::kDone;
  history.push_back(done);
  EXPECT_FALSE(damped(history, "1.1.0", at(3)));
  history.push_back(taken_back("1.1.0", 3, "manual"));
  EXPECT_TRUE(damped(history, "1.1.0", at(3)));
}

TEST(Damping, CountsAPersonsReturnAgainstTheVersionThatWasLeft) {
  State returned;
  returned.id = "e-9";
  returned.stable = "1.1.0";
  returned.candidate = "1.0.0";
  returned.revert = true;
  returned.started_by = "alice";
  returned.phase = Phase::kDone;
  returned.phase_since = at(3);
  std::vector<State> history{taken_back("1.1.0", 1), taken_back("1.1.0", 2), returned};
  EXPECT_TRUE(damped(history, "1.1.0", at(3)));
  EXPECT_FALSE(damped(history, "1.0.0", at(3)));
  history.back().started_by = kSelf;  // For a model that it needs.
  EXPECT_FALSE(damped(history, "1.1.0", at(3)));
}

TEST(Damping, AReturnThatFailedSpeaksAgainstNobody) {
  std::vector<State> history;
  for (int hour : {1, 2, 3}) {
    history.push_back(taken_back("1.0.0", hour, "backend_failed"));
    history.back().stable = "1.1.0";
    history.back().revert = true;
  }
  EXPECT_FALSE(damped(history, "1.0.0", at(3)));
  EXPECT_FALSE(damped(history, "1.1.0", at(3)));
}

}  // namespace
}  // namespace backstay::rollout
