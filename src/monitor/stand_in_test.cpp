#include "monitor/stand_in.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "storage/memory/memory_ledger.hpp"

/// What takes the place of a stable version that is down when a rollback leads to it, turn by turn.
namespace backstay::monitor {
namespace {

class TestClock : public Clock {
 public:
  Timestamp now() const override { return Timestamp(at); }
  Monotonic monotonic() const override { return Monotonic(at); }
  microseconds at{std::chrono::hours(1'000)};
};

class World : public services::RolloutWorld, public services::CommitQueue {
 public:
  void set_traffic(const std::string&, const traffic::Split& split) override { serving = split; }
  void ensure_backend(const std::string&, const std::string&) override {}
  void release_backend(const std::string&, const std::string&) override {}
  void reset_guardrails(const std::string&) override {}
  void rearm_guardrails(const std::string&) override {}
  void restore_guardrails(const std::string&) override {}
  void submit(const rollout::Transition&, const std::string&, Done done) override { queue.push_back(std::move(done)); }
  bool full = false;
  traffic::Split serving;
  std::deque<Done> queue;
};

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
  void commit_all() {
    while (!world.queue.empty()) {
      const World::Done done = std::move(world.queue.front());
      world.queue.pop_front();
      done(world.full ? Result<void>(Unexpected(ErrorCode::kResourceExhausted, "The disk is full.")) : Result<void>());
    }
  }
  /// 3.0.0 gets as far as serving, and is taken back.
  void take_back() {
    driver.start("e", "3.0.0", rollout::default_plan(), {"alice", ""}, {});
    commit_all();
    driver.handle("e", rollout::CandidateReady{});
    commit_all();
    driver.roll_back("e", "bob", "complaints", {});
    commit_all();
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
  World world;
  services::RolloutDriver driver{world, world, clock};
  KnownBackends known;
  services::ReturnChoice choice;
  std::deque<std::function<void()>> tasks;
  Threads threads{[this](auto task) { tasks.push_back(std::move(task)); },
                  [this](auto task) { tasks.push_back(std::move(task)); }};
  StandIn stand_in{
      {driver,
       threads,
       ledger,
       clock,
       [this](const EndpointRecord&, const services::IsWarm&) -> Result<services::ReturnChoice> { return choice; },
       {}}};
};

TEST_F(StandInTest, AReadyVersionTakesThePlaceOfAStableOneThatIsDown) {
  is("2.0.0", BackendState::kBackingOff);
  is("1.0.0", BackendState::kReady);
  take_back();
  stand_in.after(*driver.decided("e"), known, false);
  settle();
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
  EXPECT_EQ(driver.active("e")->started_by, rollout::kSelf);
}

TEST_F(StandInTest, ARollbackToAVersionThatIsReadyStaysThere) {
  is("2.0.0", BackendState::kReady);
  is("1.0.0", BackendState::kReady);
  take_back();
  stand_in.after(*driver.decided("e"), known, false);
  settle();
  EXPECT_EQ(driver.active("e"), nullptr);
  turn();
  clock.at += seconds(30);
  turn();
  is("2.0.0", BackendState::kUnhealthy);  // Later, and for its own reasons.
  turn();
  EXPECT_EQ(driver.active("e"), nullptr);
}

TEST_F(StandInTest, WhatTakesStableDownSoonAfterwardsIsTheSameIncident) {
  is("2.0.0", BackendState::kReady);  // Three health checks have to fail before it isn't.
  is("1.0.0", BackendState::kReady);
  take_back();
  stand_in.after(*driver.decided("e"), known, false);
  turn();
  turn();
  is("2.0.0", BackendState::kUnhealthy);
  turn();
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
}

TEST_F(StandInTest, AfterARestartStableHasItsTimeToComeBack) {
  is("2.0.0", BackendState::kBackingOff);  // Its first start failed.
  is("1.0.0", BackendState::kReady);
  take_back();
  stand_in.after(*driver.decided("e"), known, true);
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
  is("2.0.0", BackendState::kStarting);  // After a restart of the server.
  is("1.0.0", BackendState::kReady);
  take_back();
  stand_in.after(*driver.decided("e"), known, false);
  turn();
  EXPECT_EQ(driver.active("e"), nullptr);
  is("2.0.0", BackendState::kFailed);
  turn();
  ASSERT_NE(driver.active("e"), nullptr);
}

TEST_F(StandInTest, TakesTheReadyOneWhenABetterOneWouldHaveToBeStarted) {
  choice.version = "1.1.0";
  choice.instead = "1.0.0";
  is("2.0.0", BackendState::kFailed);
  is("1.0.0", BackendState::kReady);
  take_back();
  stand_in.after(*driver.decided("e"), known, false);
  settle();
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
}

TEST_F(StandInTest, SaysOnceThatNothingIsReadyAndTakesWhatGetsReadyFirst) {
  is("2.0.0", BackendState::kFailed);
  is("1.0.0", BackendState::kUnhealthy);
  take_back();
  stand_in.after(*driver.decided("e"), known, false);
  settle();
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
  is("2.0.0", BackendState::kFailed);
  is("1.0.0", BackendState::kReady);
  take_back();
  stand_in.after(*driver.decided("e"), known, false);
  settle();
  commit_all();
  driver.handle("e", rollout::CandidateReady{});
  commit_all();
  ASSERT_EQ(driver.record("e").stable, "1.0.0");
  Result<void> answer = Unexpected(ErrorCode::kInternal, "none");
  driver.roll_back("e", "bob", "complaints", [&](const Result<void>& result) { answer = result; }, {"0.9.0"});
  EXPECT_TRUE(answer);
  EXPECT_EQ(driver.active("e"), nullptr);
}

TEST_F(StandInTest, TriesAgainWhatCouldNotBeStored) {
  is("2.0.0", BackendState::kFailed);
  is("1.0.0", BackendState::kReady);
  take_back();
  stand_in.after(*driver.decided("e"), known, false);
  settle();
  world.full = true;
  commit_all();
  EXPECT_EQ(driver.active("e"), nullptr);
  world.full = false;
  turn();
  commit_all();
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
}

TEST_F(StandInTest, TriesAnotherWhenTheOneThatWasToTakeOverGoesDownToo) {
  is("2.0.0", BackendState::kFailed);
  is("1.0.0", BackendState::kReady);
  take_back();
  stand_in.after(*driver.decided("e"), known, false);
  settle();
  commit_all();
  driver.handle("e", rollout::CandidateFailed{"It ended."});
  commit_all();
  ASSERT_EQ(driver.record("e").stable, "2.0.0");
  choice.version = "0.9.0";
  is("0.9.0", BackendState::kReady);
  turn();
  commit_all();
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
