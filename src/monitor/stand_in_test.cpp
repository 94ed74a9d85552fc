#include "monitor/stand_in.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "monitor/rollout_fixture.hpp"
#include "storage/memory/memory_ledger.hpp"

/// What takes the place of a stable version that is down when a rollback leads to it, turn by turn.
namespace backstay::monitor {
namespace {

class StandInTest : public ::testing::Test {
 protected:
  void SetUp() override {
    driver.load({"e", "m", "2.0.0", "1.0.0"}, {}, 1);
    choice.version = "1.0.0";
    choice.why = "1.0.0 fits.";
  }
  void is(const std::string& version, BackendState state) {
    BackendStatus status;
    status.endpoint = "e";
    status.version = version;
    status.state = state;
    status.host = "127.0.0.1";
    known.take(status);
  }
  /// 3.0.0 gets as far as serving, and is taken back.
  void take_back() {
    driver.start("e", "3.0.0", rollout::default_plan(), {"alice", ""}, {});
    world.commit_all();
    driver.handle("e", rollout::CandidateReady{});
    world.commit_all();
    driver.roll_back("e", "bob", "complaints", {});
    world.commit_all();
  }
  /// The same while 2.0.0, which is stable, and its standby 1.0.0 are so; and what follows at once.
  void take_back_to(BackendState stable, BackendState standby, bool again = false) {
    is("2.0.0", stable);
    is("1.0.0", standby);
    take_back();
    stand_in.after(*driver.decided("e"), known, again);
    settle();
  }
  void settle() {
    while (!tasks.empty()) {
      const auto task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }
  void turn() {
    clock.at += seconds(2);
    stand_in.tick(known);
    settle();
  }
  std::vector<std::string> told() const {
    std::vector<std::string> out;
    const std::vector<audit::Entry> entries = ledger.read(1, 100).value();
    for (const audit::Entry& entry : entries) out.push_back(entry.draft.action);
    return out;
  }

  TestClock clock;
  MemoryLedger ledger{clock};
  DecidedWorld world;
  services::RolloutDriver driver{world, world, clock};
  KnownBackends known;
  services::ReturnChoice choice;
  std::deque<std::function<void()>> tasks;
  StandIn stand_in{
      {driver,
       {[this](auto task) { tasks.push_back(std::move(task)); },
        [this](auto task) { tasks.push_back(std::move(task)); }},
       ledger,
       clock},
      [this](const EndpointRecord&, const services::IsWarm&) -> Result<services::ReturnChoice> { return choice; }};
};

TEST_F(StandInTest, AReadyVersionTakesThePlaceOfAStableOneThatIsDown) {
  take_back_to(BackendState::kBackingOff, BackendState::kReady);
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
  EXPECT_EQ(driver.active("e")->started_by, rollout::kSelf);
}

TEST_F(StandInTest, ARollbackToAVersionThatIsReadyStaysThere) {
  take_back_to(BackendState::kReady, BackendState::kReady);
  EXPECT_EQ(driver.active("e"), nullptr);
  turn();
  clock.at += seconds(30);
  turn();
  is("2.0.0", BackendState::kUnhealthy);  // Later, and for its own reasons.
  turn();
  EXPECT_EQ(driver.active("e"), nullptr);
}

TEST_F(StandInTest, WhatTakesStableDownSoonAfterwardsIsTheSameIncident) {
  // Three health checks have to fail before it isn't.
  take_back_to(BackendState::kReady, BackendState::kReady);
  turn();
  turn();
  is("2.0.0", BackendState::kUnhealthy);
  turn();
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
}

TEST_F(StandInTest, AfterARestartStableHasItsTimeToComeBack) {
  // Its first start failed.
  take_back_to(BackendState::kBackingOff, BackendState::kReady, true);
  turn();
  EXPECT_EQ(driver.active("e"), nullptr);
  is("2.0.0", BackendState::kStarting);
  clock.at += rollout::default_plan().ready_timeout;
  turn();
  ASSERT_NE(driver.active("e"), nullptr) << "A url that never answers is starting for ever.";
}

TEST_F(StandInTest, ARollbackOfLongAgoIsOver) {
  is("1.0.0", BackendState::kReady);
  take_back();
  clock.at += std::chrono::hours(1);
  stand_in.after(*driver.decided("e"), known, true);
  is("2.0.0", BackendState::kFailed);
  turn();
  EXPECT_EQ(driver.active("e"), nullptr);
}

TEST_F(StandInTest, WaitsUntilItIsKnownWhetherStableServes) {
  // After a restart of the server.
  take_back_to(BackendState::kStarting, BackendState::kReady);
  turn();
  EXPECT_EQ(driver.active("e"), nullptr);
  is("2.0.0", BackendState::kFailed);
  turn();
  ASSERT_NE(driver.active("e"), nullptr);
}

TEST_F(StandInTest, TakesTheReadyOneWhenABetterOneWouldHaveToBeStarted) {
  choice.version = "1.1.0";
  choice.instead = "1.0.0";
  take_back_to(BackendState::kFailed, BackendState::kReady);
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
}

TEST_F(StandInTest, SaysOnceThatNothingIsReadyAndTakesWhatGetsReadyFirst) {
  take_back_to(BackendState::kFailed, BackendState::kUnhealthy);
  turn();
  turn();
  EXPECT_EQ(told(), std::vector<std::string>{"rollout.no_target"});
  EXPECT_EQ(driver.active("e"), nullptr);
  is("1.0.0", BackendState::kReady);
  turn();
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(told().size(), 1U);
}

TEST_F(StandInTest, WhoeverOrderedTheRollbackMeansNothingMoreBySayingItAgain) {
  take_back_to(BackendState::kFailed, BackendState::kReady);
  world.commit_all();
  driver.handle("e", rollout::CandidateReady{});
  world.commit_all();
  ASSERT_EQ(driver.record("e").stable, "1.0.0");
  Result<void> answer = Unexpected(ErrorCode::kInternal, "none");
  driver.roll_back("e", "bob", "complaints", [&](const Result<void>& result) { answer = result; }, {"0.9.0"});
  EXPECT_TRUE(answer);
  EXPECT_EQ(driver.active("e"), nullptr);
}

TEST_F(StandInTest, TriesAgainWhatCouldNotBeStored) {
  take_back_to(BackendState::kFailed, BackendState::kReady);
  world.full = true;
  world.commit_all();
  EXPECT_EQ(driver.active("e"), nullptr);
  world.full = false;
  turn();
  world.commit_all();
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
}

TEST_F(StandInTest, TriesAnotherWhenTheOneThatWasToTakeOverGoesDownToo) {
  take_back_to(BackendState::kFailed, BackendState::kReady);
  world.commit_all();
  driver.handle("e", rollout::CandidateFailed{"It ended."});
  world.commit_all();
  ASSERT_EQ(driver.record("e").stable, "2.0.0");
  choice.version = "0.9.0";
  is("0.9.0", BackendState::kReady);
  turn();
  world.commit_all();
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "0.9.0");
}

TEST_F(StandInTest, LeavesAlonePeopleWhoDecidedSomethingElseMeanwhile) {
  is("2.0.0", BackendState::kFailed);
  is("1.0.0", BackendState::kReady);
  take_back();
  stand_in.after(*driver.decided("e"), known, false);
  driver.start("e", "4.0.0", rollout::default_plan(), {"alice", ""}, {});
  settle();
  EXPECT_EQ(driver.active("e")->candidate, "4.0.0");
}

}  // namespace
}  // namespace backstay::monitor
