#include "monitor/restore_evidence.hpp"

#include <gtest/gtest.h>

#include "storage/memory/memory_recordings.hpp"
#include "wire/rollout_json.hpp"

namespace backstay::monitor {
namespace {

const Timestamp kWall{seconds(1'800'000'000)};
const Monotonic kBoot{seconds(5'000)};  ///< What the machine's clock says at kWall.

/// A canary of 20% in which every fifth of the candidate's answers and every fiftieth of stable's fails.
class RestoreEvidence : public ::testing::Test {
 protected:
  RestoreEvidence() {
    state.id = "e-1";
    state.phase = rollout::Phase::kStepping;
    state.phase_since = kWall;
    state.plan.steps = {{rollout::Step::Kind::kShadow, 1'000'000}, {rollout::Step::Kind::kCanary, 200'000}};
    state.step_index = 1;
  }

  static Observation outcome(int n) {
    Observation o;
    o.candidate = n % 5 == 0;
    o.pi = 0.2;
    o.outcome.prediction =
        traffic::PredictionId::make(1, static_cast<std::uint32_t>(1'800'000'000 + n), static_cast<std::uint64_t>(n));
    o.outcome.status = (o.candidate ? n / 5 % 5 == 0 : n % 50 == 1) ? 500 : 200;
    o.outcome.latency_us = static_cast<std::uint32_t>(1'000 + n % 97);
    o.outcome.at = kBoot + seconds(n);
    return o;
  }
  static std::vector<Observation> outcomes(int from, int to) {
    std::vector<Observation> out;
    for (int n = from; n < to; ++n) out.push_back(outcome(n));
    return out;
  }
  void begin(const std::string& policy, std::size_t epoch) {
    Observation reset;
    reset.kind = Observation::Kind::kReset;
    reset.epoch = epoch;
    ASSERT_TRUE(recordings.begin("e-1", policy));
    ASSERT_TRUE(recordings.append("e-1", {reset}));
  }
  void record(int from, int to) { ASSERT_TRUE(recordings.append("e-1", outcomes(from, to))); }
  std::optional<RestoredEvidence> restore() {
    return restore_evidence(recordings, state, "p", watch, Monotonic(seconds(7)), kWall + seconds(1'000));
  }
  static GuardrailWatch fresh() { return {guardrails::default_guardrails(), std::vector<ValueSlots>(3)}; }
  static std::string evidence(const GuardrailWatch& of) {
    std::string text;
    for (const guardrails::Evidence& one : of.evidence()) text += wire::to_json(one) + "\n";
    return text;
  }

  rollout::State state;
  MemoryRecordings recordings;
  GuardrailWatch watch = fresh();
};

TEST_F(RestoreEvidence, IsThatOfAServerThatWasNeverAwayToTheLastBit) {
  begin("p", 2);
  record(0, 30);
  const auto restored = restore();
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->samples, 6U);
  GuardrailWatch whole = fresh();
  for (const Observation& o : outcomes(0, 30)) whole.show(o, [](const auto&) {});
  EXPECT_EQ(evidence(watch), evidence(whole));
  EXPECT_NE(evidence(watch), evidence(fresh()));
}

TEST_F(RestoreEvidence, TheRolloutsClockGoesOnOverTheTimeThatTheServerWasAwayAndOverARestartOfTheMachine) {
  begin("p", 2);
  record(0, 30);
  const auto restored = restore();
  ASSERT_TRUE(restored);
  // The machine's clock began anew, and is at 7 s.
  EXPECT_EQ(restored->clock.at(Monotonic(seconds(7))), kBoot + seconds(1'000));
  const auto id = traffic::PredictionId::make(1, 1'800'000'300, 1);
  EXPECT_EQ(restored->clock.at(id, Monotonic(seconds(7)), kWall + seconds(1'000)), kBoot + seconds(300));
}

TEST_F(RestoreEvidence, TellsWhatHadCrossedItsLimit) {
  begin("p", 2);
  record(0, 2'000);
  const auto restored = restore();
  ASSERT_TRUE(restored);
  ASSERT_EQ(restored->crossed.size(), 1U);
  EXPECT_EQ(restored->crossed[0].name, "errors");
  EXPECT_TRUE(watch.evidence()[0].breached);
}

TEST_F(RestoreEvidence, OfOtherGuardrailsIsNone) {
  begin("others", 2);
  record(0, 30);
  EXPECT_FALSE(restore());
  EXPECT_EQ(evidence(watch), evidence(fresh()));
}

TEST_F(RestoreEvidence, OfTheShadowStepThatCameBeforeIsNone) {
  // The server ended after the canary had begun, and before it had written that its evidence began.
  begin("p", 1);
  record(0, 30);
  EXPECT_FALSE(restore());
  EXPECT_EQ(evidence(watch), evidence(fresh()));
}

TEST_F(RestoreEvidence, BeginsWithTheExperimentThatTheRolloutIsIn) {
  begin("p", 1);
  record(0, 500);
  Observation reset;
  reset.kind = Observation::Kind::kReset;
  reset.epoch = 2;
  ASSERT_TRUE(recordings.append("e-1", {reset}));
  record(500, 530);
  ASSERT_TRUE(restore());
  GuardrailWatch canary = fresh();
  for (const Observation& o : outcomes(500, 530)) canary.show(o, [](const auto&) {});
  EXPECT_EQ(evidence(watch), evidence(canary));
}

TEST_F(RestoreEvidence, OfARolloutOfTheSameIdThatNeverWasIsNone) {
  begin("p", 2);
  record(0, 30);
  ASSERT_TRUE(recordings.suspend("e-1"));
  ASSERT_TRUE(recordings.end("e-1", ""));
  EXPECT_FALSE(restore());
  EXPECT_FALSE(restore_evidence(MemoryRecordings(), state, "p", watch, {}, kWall));
}

}  // namespace
}  // namespace backstay::monitor
