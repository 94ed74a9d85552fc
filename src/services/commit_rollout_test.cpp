#include "services/commit_rollout.hpp"

#include <gtest/gtest.h>

#include "domain/rollout/rollout.hpp"
#include "storage/memory/memory_ledger.hpp"

namespace backstay::services {
namespace {

class CommitRolloutTest : public ::testing::Test {
 protected:
  rollout::Transition start(const std::string& candidate, bool revert = false) {
    rollout::State state;
    state.id = "e-1";
    state.endpoint = "e";
    state.candidate = candidate;
    state.plan = rollout::blue_green_plan();
    state.revert = revert;
    return rollout::start(state, system_clock().now(), "alice", "");
  }
  /// Someone else stores something.
  void note(const std::string& action) { ASSERT_TRUE(ledger.append({"bob", action, "m@1.1.0", "", "{}"})); }
  Result<void> commit(const rollout::Transition& transition, StartCheck check) {
    return commit_rollout(ledger, transition, "m", &check);
  }

  MemoryLedger ledger{system_clock()};
  int checks = 0;
};

TEST_F(CommitRolloutTest, AStartIsRefusedByWhatCameAfterItWasChecked) {
  bool quarantined = false;
  const auto result =
      commit(start("1.1.0"), {ledger, [&](const rollout::State& state, const std::string& model) -> Result<void> {
                                EXPECT_EQ(model + "@" + state.candidate, "m@1.1.0");
                                if (quarantined)
                                  return Unexpected(ErrorCode::kFailedPrecondition, "m@1.1.0 is in quarantine.");
                                ++checks;
                                quarantined = true;  // Between the look and the commit.
                                note("quarantine.add");
                                return {};
                              }});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "m@1.1.0 is in quarantine.");
  EXPECT_EQ(checks, 1);
  EXPECT_TRUE(ledger.active_rollouts()->empty());
}

TEST_F(CommitRolloutTest, WhatHasNothingToDoWithAStartHasItCheckedAgainAndStored) {
  const auto result = commit(start("1.1.0"), {ledger, [&](const rollout::State&, const std::string&) -> Result<void> {
                                                if (++checks <= 3) note("version.register");
                                                return {};
                                              }});
  EXPECT_TRUE(result);
  EXPECT_EQ(checks, 4);
  EXPECT_EQ(ledger.active_rollouts()->size(), 1u);
}

TEST_F(CommitRolloutTest, AStartThatNeverCatchesUpIsAConflict) {
  const auto result = commit(start("1.1.0"), {ledger, [&](const rollout::State&, const std::string&) -> Result<void> {
                                                ++checks;
                                                note("version.register");
                                                return {};
                                              }});
  EXPECT_EQ(result.error().code, ErrorCode::kConflict);
  EXPECT_EQ(checks, 20);
  EXPECT_TRUE(ledger.active_rollouts()->empty());
}

TEST_F(CommitRolloutTest, AConflictWithWhatWasThereBeforeIsToldAtOnce) {
  rollout::Transition first = start("1.1.0");
  ASSERT_TRUE(ledger.commit(first, "m"));
  rollout::Transition second = start("1.2.0");
  second.state.id = "e-2";
  const auto result = commit(second, {ledger, [&](const rollout::State&, const std::string&) -> Result<void> {
                                        ++checks;
                                        return {};
                                      }});
  EXPECT_EQ(result.error().code, ErrorCode::kConflict);
  EXPECT_EQ(checks, 1);
}

TEST_F(CommitRolloutTest, NothingStandsInTheWayOfAReturnOrARollback) {
  const StartCheck never{ledger, [](const rollout::State&, const std::string&) -> Result<void> {
                           ADD_FAILURE() << "It was asked.";
                           return Unexpected(ErrorCode::kFailedPrecondition, "No.");
                         }};
  const rollout::Transition back = start("1.0.0", true);
  EXPECT_TRUE(commit(back, never));
  EXPECT_TRUE(commit(rollout::step(back.state, rollout::RollBack{"alice", "no"}, system_clock().now()), never));
}

}  // namespace
}  // namespace backstay::services
