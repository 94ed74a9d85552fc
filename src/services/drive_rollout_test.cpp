#include "services/drive_rollout.hpp"

#include <gtest/gtest.h>

#include <set>

#include "storage/memory/memory_ledger.hpp"

namespace backstay::services {
namespace {

class TestClock : public Clock {
 public:
  Timestamp now() const override { return Timestamp(at + set_by); }
  Monotonic monotonic() const override { return Monotonic(at); }
  microseconds at{seconds(1000)};
  microseconds set_by{0};  ///< By how much somebody set the time of day.
};

class World : public RolloutWorld, public CommitQueue {
 public:
  explicit World(RolloutStore& store) : store_(store) {}
  void set_traffic(const std::string&, const traffic::Split& s) override { split = s; }
  void ensure_backend(const std::string&, const std::string& version) override { backends.insert(version); }
  void release_backend(const std::string&, const std::string& version) override { backends.erase(version); }
  void reset_guardrails(const std::string&) override { ++resets; }
  void rearm_guardrails(const std::string&) override {}
  void restore_guardrails(const std::string&) override { ++restored; }
  void submit(const rollout::Transition& transition, const std::string& model, Done done) override {
    queue.push_back({transition, model, std::move(done)});
  }
  /// Does one commit, or refuses it.
  void commit_one(std::optional<Error> failure = {}) {
    const auto item = queue.front();
    queue.pop_front();
    item.done(failure ? Result<void>(Unexpected(*failure)) : store_.commit(item.transition, item.model));
  }
  void commit_all() {
    while (!queue.empty()) commit_one();
  }
  std::uint32_t share(const std::string& version) const {
    for (const auto& arm : split.arms)
      if (arm.version == version) return arm.ppm;
    return 0;
  }

  struct Item {
    rollout::Transition transition;
    std::string model;
    Done done;
  };
  traffic::Split split;
  std::set<std::string> backends;
  std::deque<Item> queue;
  int resets = 0;
  int restored = 0;

 private:
  RolloutStore& store_;
};

class RolloutDriverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* text : {"m@1.0.0", "m@1.1.0", "m@1.2.0"}) {
      const auto ref = registry::VersionRef::parse(text).value();
      ASSERT_TRUE(ledger.add_version({ref, text, true, "a"}, {"a", "version.register", text, "", "{}"}));
    }
    driver.load({"e", "m", "1.0.0", ""}, {}, 1);
  }
  RolloutDriver::Done note() {
    return [this](const Result<void>& result) { answers.push_back(result ? "ok" : result.error().message); };
  }
  void start(const std::string& version) {
    driver.start("e", version, rollout::default_plan(), {"alice", "why"}, note());
  }
  void start_canary(const std::string& version) {
    start(version);
    world.commit_all();
    driver.handle("e", rollout::CandidateReady{});
    world.commit_all();
  }
  void promote() {
    driver.handle("e", rollout::Promote{"alice", "go"});
    world.commit_all();
    driver.handle("e", rollout::Promote{"alice", "go"});
    world.commit_all();
  }

  TestClock clock;
  MemoryLedger ledger;
  World world{ledger};
  RolloutDriver driver{world, world, clock};
  std::vector<std::string> answers;
};

TEST_F(RolloutDriverTest, GivesTrafficOnlyAfterTheDecisionIsDurable) {
  start("1.1.0");
  EXPECT_TRUE(answers.empty());
  world.commit_one();
  EXPECT_EQ(answers, std::vector<std::string>{"ok"});
  EXPECT_TRUE(world.backends.contains("1.1.0"));
  driver.handle("e", rollout::CandidateReady{});
  EXPECT_EQ(world.share("1.1.0"), 0u);
  world.commit_one();
  EXPECT_EQ(world.share("1.1.0"), 50'000u);
}

TEST_F(RolloutDriverTest, SettingTheMachinesClockNeitherEndsAStepNorHoldsItUp) {
  rollout::Plan plan = rollout::default_plan();
  plan.steps = {{rollout::Step::Kind::kCanary, 100'000, std::chrono::hours(1), 0}};
  plan.watch = std::chrono::hours(1);
  for (const seconds by : {seconds(3'700), -seconds(3'700)}) {
    clock = {};
    driver.start("e", "1.1.0", plan, {"alice", "why"}, {});
    world.commit_all();
    driver.handle("e", rollout::CandidateReady{});
    world.commit_all();
    const auto pass = [&](seconds time) {
      clock.at += time;
      driver.tick("e", {1'000});
      world.commit_all();
    };
    pass(seconds(1));
    clock.set_by += by;
    pass(seconds(1));
    EXPECT_EQ(driver.active("e")->phase, rollout::Phase::kStepping);
    EXPECT_EQ(ledger.read(1, 100)->back().draft.action, "rollout.clock_set");
    pass(seconds(3'500));
    EXPECT_EQ(driver.active("e")->phase, rollout::Phase::kStepping);
    pass(seconds(100));
    EXPECT_EQ(driver.active("e")->phase, rollout::Phase::kWatching);
    driver.roll_back("e", "alice", "again", {});
    world.commit_all();
  }
}

TEST_F(RolloutDriverTest, AForcedReleaseIsOneWhereItIsStoredAndInTheLog) {
  driver.start("e", "1.1.0", rollout::default_plan(), {"alice", "I know", true}, note());
  ASSERT_NE(driver.decided("e"), nullptr);
  EXPECT_TRUE(driver.decided("e")->forced);
  world.commit_all();
  const audit::Entry entry = ledger.read(1, 100)->back();
  EXPECT_EQ(entry.draft.action, "rollout.start");
  EXPECT_NE(entry.draft.evidence.find(R"("forced":true)"), std::string::npos) << entry.draft.evidence;
  driver.roll_back("e", "alice", "enough", note());
  world.commit_all();
  start("1.2.0");
  EXPECT_FALSE(driver.decided("e")->forced);
}

TEST_F(RolloutDriverTest, TakesTrafficBeforeAnythingIsStored) {
  start_canary("1.1.0");
  driver.handle("e", rollout::Breach{"safety", "too unsafe", "{}"});
  EXPECT_EQ(world.share("1.0.0"), traffic::kWhole);
  EXPECT_EQ(world.share("1.1.0"), 0u);
  EXPECT_EQ(ledger.active_rollouts()->size(), 1u);
  world.commit_all();
  EXPECT_TRUE(ledger.active_rollouts()->empty());
  EXPECT_FALSE(world.backends.contains("1.1.0"));
}

TEST_F(RolloutDriverTest, ARollbackIsNotUndoneByTheCommitThatWasUnderWay) {
  start("1.1.0");
  world.commit_all();
  driver.handle("e", rollout::CandidateReady{});  // Its commit gives 5%...
  driver.roll_back("e", "bob", "stop", note());   // ...but before it is done someone says stop.
  world.commit_all();
  EXPECT_EQ(world.share("1.1.0"), 0u);
  EXPECT_EQ(ledger.rollouts("e", 1)->front().phase, rollout::Phase::kRolledBack);
  EXPECT_EQ(answers, (std::vector<std::string>{"ok", "ok"}));
}

TEST_F(RolloutDriverTest, AFailedCommitIsTriedAgainUntilItHolds) {
  start_canary("1.1.0");
  driver.handle("e", rollout::Breach{"safety", "too unsafe", "{}"});
  const Error full{ErrorCode::kResourceExhausted, "disk full", ""};
  for (int i = 0; i < 3; ++i) {
    world.commit_one(full);
    EXPECT_EQ(driver.trouble("e"), "disk full");
    EXPECT_TRUE(world.queue.empty());
    clock.at += seconds(10);
    driver.tick("e", {});
  }
  world.commit_all();
  EXPECT_EQ(driver.trouble("e"), "");
  EXPECT_EQ(ledger.rollouts("e", 1)->front().phase, rollout::Phase::kRolledBack);
}

TEST_F(RolloutDriverTest, ARolloutThatCouldNotBeStoredNeverWas) {
  start("1.1.0");
  world.commit_one(Error{ErrorCode::kResourceExhausted, "disk full", ""});
  EXPECT_EQ(answers, std::vector<std::string>{"disk full"});
  EXPECT_EQ(driver.active("e"), nullptr);
  start("1.1.0");
  world.commit_all();
  EXPECT_NE(driver.active("e"), nullptr);
}

TEST_F(RolloutDriverTest, ARolloutThatNeverWasLeavesNeitherAGapNorAHoleInMemory) {
  start_canary("1.1.0");
  promote();
  start_canary("1.2.0");
  driver.roll_back("e", "bob", "stop", {});
  world.commit_all();
  start("1.2.0");
  world.commit_one(Error{ErrorCode::kResourceExhausted, "disk full", ""});
  driver.roll_back("e", "bob", "stop", note());  // Of the one before: done already.
  EXPECT_EQ(answers.back(), "ok");
  EXPECT_EQ(driver.active("e"), nullptr);
  start("1.2.0");
  world.commit_all();
  EXPECT_EQ(driver.active("e")->id, "e-3");
  EXPECT_EQ(ledger.next_rollout_number("e").value(), 4U);
}

TEST_F(RolloutDriverTest, RefusesToPromoteWhatIsNotReady) {
  start("1.1.0");
  world.commit_all();
  driver.handle("e", rollout::Promote{"alice", "go"}, note());
  EXPECT_EQ(answers.back(), "1.1.0 is not ready to serve yet.");
}

TEST_F(RolloutDriverTest, RefusesToRollOutWhatIsStable) {
  start("1.0.0");
  EXPECT_EQ(answers.back(), "Endpoint 'e' serves 1.0.0 already.");
  EXPECT_TRUE(world.queue.empty());
}

TEST_F(RolloutDriverTest, TheNextRolloutWaitsForTheEndOfTheLastToBeDurable) {
  start_canary("1.1.0");
  promote();
  start_canary("1.2.0");
  driver.roll_back("e", "bob", "stop", note());
  start("1.2.0");
  EXPECT_EQ(answers.size(), 2u);
  world.commit_all();
  EXPECT_EQ(answers, (std::vector<std::string>{"ok", "ok", "ok", "ok"}));
  EXPECT_EQ(driver.active("e")->candidate, "1.2.0");
}

TEST_F(RolloutDriverTest, ARollbackRightAfterTheEndReturnsToTheVersionThatWasLeft) {
  start_canary("1.1.0");
  driver.handle("e", rollout::Promote{"alice", "go"});
  world.commit_all();
  driver.handle("e", rollout::Promote{"alice", "go"});  // Done, and not durable when someone says stop.
  driver.roll_back("e", "bob", "stop", note());
  world.commit_all();
  EXPECT_EQ(answers.size(), 1u);  // The rollback is answered when 1.0.0 is back.
  driver.handle("e", rollout::CandidateReady{});
  world.commit_all();
  EXPECT_EQ(answers, (std::vector<std::string>{"ok", "ok"}));
  EXPECT_EQ(driver.record("e").stable, "1.0.0");
}

TEST_F(RolloutDriverTest, ShowsAPromotionWhenItIsInForceAndARollbackAtOnce) {
  start_canary("1.1.0");
  driver.handle("e", rollout::Promote{"alice", "go"});
  EXPECT_EQ(driver.latest("e")->phase, rollout::Phase::kStepping);
  world.commit_all();
  EXPECT_EQ(driver.latest("e")->phase, rollout::Phase::kWatching);
  driver.roll_back("e", "bob", "stop", note());
  EXPECT_EQ(driver.latest("e")->phase, rollout::Phase::kRolledBack);
}

TEST_F(RolloutDriverTest, SayingWhereToGoLeavesStableEvenAfterARollback) {
  start_canary("1.1.0");
  promote();
  start_canary("1.2.0");
  driver.return_to("e", "1.0.0", "bob", "stop", note());
  EXPECT_NE(answers.back().find("returns to 1.1.0"), std::string::npos);
  driver.return_to("e", "1.1.0", "bob", "stop", note());
  world.commit_all();
  EXPECT_EQ(driver.latest("e")->phase, rollout::Phase::kRolledBack);
  driver.roll_back("e", "bob", "stop", note());
  EXPECT_EQ(driver.record("e").stable, "1.1.0");
  driver.return_to("e", "1.2.0", "bob", "stop", note());
  EXPECT_NE(answers.back().find("1.2.0 is not kept warm at 'e'; 1.0.0 is."), std::string::npos);
  driver.return_to("e", "1.0.0", "bob", "stop", note());
  world.commit_all();
  driver.handle("e", rollout::CandidateReady{});
  world.commit_all();
  EXPECT_EQ(world.share("1.0.0"), traffic::kWhole);
  EXPECT_EQ(driver.record("e").standby, "");
}

TEST_F(RolloutDriverTest, ARollbackGoesBeforeAStartThatWaits) {
  start_canary("1.1.0");
  driver.handle("e", rollout::Promote{"alice", "go"});
  world.commit_all();
  driver.handle("e", rollout::Promote{"alice", "go"});  // Being stored when both orders come.
  start("1.2.0");
  driver.roll_back("e", "bob", "users complain", note());
  world.commit_one();
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
  EXPECT_NE(answers.back().find("has a rollout under way"), std::string::npos);
}

TEST_F(RolloutDriverTest, RefusesASecondRollout) {
  start_canary("1.1.0");
  start("1.2.0");
  EXPECT_NE(answers.back().find("under way"), std::string::npos);
}

TEST_F(RolloutDriverTest, KeepsTheFormerStableVersionWarmAndLetsOlderOnesGo) {
  start_canary("1.1.0");
  promote();
  EXPECT_EQ(world.backends, (std::set<std::string>{"1.0.0", "1.1.0"}));
  start_canary("1.2.0");
  promote();
  EXPECT_EQ(world.backends, (std::set<std::string>{"1.1.0", "1.2.0"}));
}

TEST_F(RolloutDriverTest, AStandbyThatWasACandidateAgainAndTakenBackStaysWarm) {
  start_canary("1.1.0");
  promote();
  start_canary("1.0.0");
  driver.roll_back("e", "bob", "stop", note());
  world.commit_all();
  EXPECT_EQ(driver.record("e").standby, "1.0.0");
  EXPECT_EQ(world.backends, (std::set<std::string>{"1.0.0", "1.1.0"}));
}

TEST_F(RolloutDriverTest, RollingBackAFinishedReleaseReturnsToTheStandbyOnce) {
  start_canary("1.1.0");
  promote();
  driver.roll_back("e", "bob", "users complain", note());
  world.commit_all();
  driver.handle("e", rollout::CandidateReady{});
  world.commit_all();
  EXPECT_EQ(world.share("1.0.0"), traffic::kWhole);
  EXPECT_EQ(driver.record("e").stable, "1.0.0");
  EXPECT_EQ(ledger.endpoint("e").value()->standby, "");
  driver.roll_back("e", "carol", "a second later", note());
  EXPECT_EQ(answers.back(), "ok");
  EXPECT_EQ(driver.record("e").stable, "1.0.0");
}

TEST_F(RolloutDriverTest, ARollbackWhileTheEndIsBeingWrittenReturnsFromTheNewVersion) {
  start_canary("1.1.0");
  promote();
  start_canary("1.2.0");
  driver.handle("e", rollout::Promote{"alice", "go"});
  world.commit_all();
  driver.handle("e", rollout::Promote{"alice", "go"});  // 1.2.0 is stable as soon as this is stored.
  driver.roll_back("e", "bob", "users complain", note());
  driver.roll_back("e", "eve", "users complain", note());
  world.commit_one();
  EXPECT_EQ(world.share("1.2.0"), traffic::kWhole);
  EXPECT_EQ(driver.active("e")->stable, "1.2.0");
  world.commit_all();
  driver.handle("e", rollout::CandidateReady{});
  world.commit_all();
  EXPECT_EQ(ledger.endpoint("e").value()->stable, "1.1.0");
  EXPECT_EQ(world.share("1.1.0"), traffic::kWhole);
  EXPECT_EQ(answers.size(), 4U);
}

TEST_F(RolloutDriverTest, AnEndThatCannotBeStoredDoesNotHoldUpARollback) {
  start_canary("1.1.0");
  driver.handle("e", rollout::Promote{"alice", "go"});
  world.commit_all();
  driver.handle("e", rollout::Promote{"alice", "go"}, note());
  world.commit_one(Error{ErrorCode::kResourceExhausted, "disk full", ""});
  driver.roll_back("e", "bob", "users complain", note());
  EXPECT_EQ(world.share("1.0.0"), traffic::kWhole);
  EXPECT_EQ(answers.back(), "e-1 was taken back before its end could be stored.");
  world.commit_all();
  EXPECT_EQ(answers.back(), "ok");
  EXPECT_EQ(ledger.rollouts("e", 1)->front().phase, rollout::Phase::kRolledBack);
}

TEST_F(RolloutDriverTest, AskingAgainForTheReturnDoesNotCallItOff) {
  start_canary("1.1.0");
  promote();
  driver.roll_back("e", "bob", "users complain", note());
  driver.roll_back("e", "bob", "users complain", note());
  world.commit_all();
  EXPECT_EQ(answers.size(), 1U);  // Of the start.
  driver.handle("e", rollout::CandidateReady{});
  world.commit_all();
  EXPECT_EQ(driver.record("e").stable, "1.0.0");
  EXPECT_EQ(answers, (std::vector<std::string>{"ok", "ok", "ok"}));
}

TEST_F(RolloutDriverTest, AReturnThatFailsIsNotAnsweredWithOk) {
  start_canary("1.1.0");
  promote();
  driver.roll_back("e", "bob", "users complain", note());
  world.commit_all();
  driver.handle("e", rollout::CandidateFailed{"exit status 3"});
  world.commit_all();
  EXPECT_EQ(driver.record("e").stable, "1.1.0");
  EXPECT_EQ(answers.back(), "1.0.0 could not be brought back. exit status 3");
}

TEST_F(RolloutDriverTest, AReturnThatFailedIsTriedAgainWhenItIsOrderedAgain) {
  start_canary("1.1.0");
  promote();
  driver.roll_back("e", "bob", "users complain", note());
  world.commit_all();
  driver.handle("e", rollout::CandidateFailed{"exit status 3"});
  world.commit_all();
  driver.roll_back("e", "bob", "users complain", note());
  world.commit_all();
  ASSERT_NE(driver.active("e"), nullptr) << "1.1.0 still serves, so there is something to do.";
  driver.handle("e", rollout::CandidateReady{});
  world.commit_all();
  EXPECT_EQ(answers.back(), "ok");
  EXPECT_EQ(driver.record("e").stable, "1.0.0");
}

TEST_F(RolloutDriverTest, AReturnThatNobodyOrderedIsNoAnswerToAnOrder) {
  start_canary("1.1.0");
  promote();
  driver.leave_stable("e", {"1.0.0"}, rollout::kSelf, "what it needs was rolled back", note());
  world.commit_all();
  driver.handle("e", rollout::CandidateReady{});
  world.commit_all();
  ASSERT_EQ(driver.record("e").stable, "1.0.0");
  driver.roll_back("e", "bob", "users complain", note(), {"1.2.0"});
  world.commit_all();
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "1.2.0");
}

TEST_F(RolloutDriverTest, AReturnWhoseVersionDoesNotStartGoesToTheOneThatIsWarm) {
  start_canary("1.1.0");
  promote();
  driver.roll_back("e", "bob", "users complain", note(), {"1.2.0", "{}", "1.0.0"});
  world.commit_all();
  EXPECT_EQ(driver.active("e")->candidate, "1.2.0");
  driver.handle("e", rollout::CandidateFailed{"exit status 3"});
  world.commit_all();
  EXPECT_EQ(answers.size(), 1U) << "The order isn't over yet.";
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
  EXPECT_EQ(driver.active("e")->started_by, "bob");
  driver.handle("e", rollout::CandidateReady{});
  world.commit_all();
  EXPECT_EQ(driver.record("e").stable, "1.0.0");
  EXPECT_EQ(answers, (std::vector<std::string>{"ok", "ok"}));
}

TEST_F(RolloutDriverTest, AReturnWaitsAsLongAsTheEndpointsPlanSays) {
  RolloutDriver patient(world, world, clock);
  patient.load({"e", "m", "1.1.0", "1.0.0"}, {}, 1, std::chrono::minutes(10));
  patient.roll_back("e", "bob", "users complain", note());
  world.commit_all();
  EXPECT_EQ(patient.active("e")->plan.ready_timeout, std::chrono::minutes(10));
}

TEST_F(RolloutDriverTest, LeavingStableWaitsForTheEndOfACandidateThatWentTheSameWay) {
  start_canary("1.1.0");
  promote();
  start_canary("1.2.0");
  driver.handle("e", rollout::DependencyLost{"ner was rolled back", "{}"});
  driver.leave_stable("e", {"1.0.0"}, rollout::kSelf, "ner was rolled back", note());
  EXPECT_EQ(answers.size(), 2U);
  world.commit_one();
  ASSERT_NE(driver.active("e"), nullptr);
  EXPECT_EQ(driver.active("e")->stable, "1.1.0");
  EXPECT_EQ(driver.active("e")->candidate, "1.0.0");
  world.commit_all();
  driver.handle("e", rollout::CandidateReady{});
  world.commit_all();
  EXPECT_EQ(driver.record("e").stable, "1.0.0");
  EXPECT_EQ(answers.back(), "ok");
}

TEST_F(RolloutDriverTest, AStartThatWaitsDoesNotBringBackWhatAGuardrailTookBackMeanwhile) {
  start_canary("1.1.0");
  driver.handle("e", rollout::Breach{"safety", "too unsafe", "{}"});
  start("1.1.0");
  start("1.2.0");
  world.commit_all();
  EXPECT_EQ(answers.at(1), "e-1 took 1.1.0 back while this order was on its way: too unsafe");
  EXPECT_EQ(driver.active("e")->candidate, "1.2.0");
}

TEST_F(RolloutDriverTest, JudgesAStepOnlyWhenItIsDurable) {
  start_canary("1.1.0");
  clock.at += std::chrono::minutes(10);
  driver.tick("e", {1'000});
  ASSERT_EQ(world.queue.size(), 1U);
  clock.at += std::chrono::hours(1);
  driver.tick("e", {1'000});  // Of 5%, not of the 25% that nobody has been given.
  EXPECT_EQ(world.queue.size(), 1U);
  world.commit_all();
  EXPECT_EQ(world.share("1.1.0"), 250'000U);
}

TEST_F(RolloutDriverTest, WhatWasAskedTwiceIsAnsweredTwiceWhenItIsDurable) {
  start_canary("1.1.0");
  driver.handle("e", rollout::Pause{"alice", "lunch"}, note());
  driver.handle("e", rollout::Pause{"bob", "lunch"}, note());
  EXPECT_EQ(answers.size(), 1U);  // Of the start.
  world.commit_all();
  EXPECT_EQ(answers, (std::vector<std::string>{"ok", "ok", "ok"}));
}

TEST_F(RolloutDriverTest, RollingBackTwiceIsFine) {
  start_canary("1.1.0");
  driver.roll_back("e", "bob", "stop", note());
  driver.roll_back("e", "bob", "stop", note());
  world.commit_all();
  driver.roll_back("e", "bob", "stop", note());
  EXPECT_EQ(answers, (std::vector<std::string>{"ok", "ok", "ok", "ok"}));
  EXPECT_TRUE(audit::verify(ledger.read(1, 100).value()));
}

TEST_F(RolloutDriverTest, ARollbackThatIsRepeatedAfterARestartTakesNothingElseBack) {
  start_canary("1.1.0");
  promote();
  start_canary("1.2.0");
  driver.roll_back("e", "bob", "stop", {});
  world.commit_all();  // The server ends before it could answer, so bob asks again.
  World again(ledger);
  RolloutDriver second(again, again, clock);
  second.load(*ledger.endpoint("e").value(), ledger.rollouts("e", 1)->front(), 3);
  second.roll_back("e", "bob", "stop", note());
  EXPECT_EQ(answers.back(), "ok");
  EXPECT_EQ(second.active("e"), nullptr);
  EXPECT_EQ(again.share("1.1.0"), traffic::kWhole);
}

TEST_F(RolloutDriverTest, ComesBackAfterARestartWhereItWas) {
  start_canary("1.1.0");
  World again(ledger);
  RolloutDriver second(again, again, clock);
  second.load({"e", "m", "1.0.0", ""}, ledger.active_rollouts()->front(), 2);
  EXPECT_EQ(again.share("1.0.0"), traffic::kWhole);  // Until the candidate is seen ready.
  EXPECT_EQ(again.backends, (std::set<std::string>{"1.0.0", "1.1.0"}));
  second.handle("e", rollout::CandidateReady{});
  again.commit_all();
  EXPECT_EQ(again.share("1.1.0"), 50'000u);
}

}  // namespace
}  // namespace backstay::services
