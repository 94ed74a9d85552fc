#include "domain/rollout/rollout.hpp"

#include <gtest/gtest.h>

namespace backstay::rollout {
namespace {

using traffic::kWhole;

Timestamp at(int minute) {
  return Timestamp(std::chrono::minutes(minute));
}

State fresh() {
  State state;
  state.id = "diagnosis-1";
  state.endpoint = "diagnosis";
  state.stable = "1.0.0";
  state.candidate = "2.0.0";
  state.plan = default_plan();
  return state;
}

std::uint32_t candidate_ppm(const traffic::Split& split) {
  for (const auto& arm : split.arms)
    if (arm.version == "2.0.0") return arm.ppm;
  return 0;
}

const SetTraffic* traffic_of(const std::vector<Effect>& effects) {
  for (const Effect& effect : effects)
    if (const auto* set = std::get_if<SetTraffic>(&effect)) return set;
  return nullptr;
}

template <class E>
bool has(const std::vector<Effect>& effects) {
  for (const Effect& effect : effects)
    if (std::holds_alternative<E>(effect)) return true;
  return false;
}

State in_canary() {
  return step(start(fresh(), at(0), "alice", "why").state, CandidateReady{}, at(1)).state;
}

TEST(RolloutStart, AsksForAWarmCandidateAndGivesItNothing) {
  const Transition t = start(fresh(), at(0), "alice", "better model");
  EXPECT_EQ(t.state.phase, Phase::kWarming);
  EXPECT_EQ(t.state.revision, 1U);
  EXPECT_TRUE(has<EnsureBackend>(t.after_commit));
  EXPECT_EQ(candidate_ppm(split_of(t.state)), 0U);
  EXPECT_EQ(t.notes.at(0).actor, "alice");
}

TEST(RolloutStep, ABlueGreenCandidateIsJudgedByItsOwnOutcomes) {
  State state = fresh();
  state.plan = blue_green_plan();
  const Transition begun = start(state, at(0), "alice", "");
  EXPECT_TRUE(has<ResetGuardrails>(begun.after_commit));
  const Transition watching = step(begun.state, CandidateReady{}, at(1));
  EXPECT_EQ(watching.state.phase, Phase::kWatching);
  EXPECT_TRUE(has<ResetGuardrails>(watching.after_commit));
}

TEST(RolloutStart, SaysForTheRecordFromWhereToWhere) {
  const Transition t = start(fresh(), at(0), "alice", "");
  EXPECT_NE(t.notes.at(0).evidence.find(R"("to":"2.0.0")"), std::string::npos) << t.notes.at(0).evidence;
}

TEST(RolloutStep, GivesTrafficOnlyAfterTheCommit) {
  const Transition t = step(start(fresh(), at(0), "a", "").state, CandidateReady{}, at(1));
  EXPECT_TRUE(t.before_commit.empty());
  ASSERT_NE(traffic_of(t.after_commit), nullptr);
  EXPECT_EQ(candidate_ppm(traffic_of(t.after_commit)->split), 50'000U);
  EXPECT_TRUE(is_valid(traffic_of(t.after_commit)->split));
}

TEST(RolloutStep, AdvancesWhenBothTimeAndSamplesAreThere) {
  const State state = in_canary();
  EXPECT_FALSE(step(state, Tick{5'000}, at(5)).changed);
  EXPECT_FALSE(step(state, Tick{999}, at(60)).changed);
  const Transition t = step(state, Tick{1'000}, at(11));
  ASSERT_TRUE(t.changed);
  EXPECT_EQ(candidate_ppm(split_of(t.state)), 250'000U);
  const Transition watching = step(t.state, Tick{1'000}, at(21));
  EXPECT_EQ(watching.state.phase, Phase::kWatching);
  EXPECT_EQ(candidate_ppm(split_of(watching.state)), 950'000U);
  EXPECT_TRUE(is_valid(split_of(watching.state)));
  const Transition done = step(watching.state, Tick{0}, at(81));
  EXPECT_EQ(done.state.phase, Phase::kDone);
  EXPECT_EQ(split_of(done.state).arms.at(0).version, "2.0.0");
  EXPECT_EQ(done.stage_moves, (std::vector<StageMove>{{"2.0.0", "Production"}, {"1.0.0", "Archived"}}));
}

TEST(RolloutStep, ABreachTakesTrafficAwayBeforeTheCommit) {
  for (int watching = 0; watching < 2; ++watching) {
    State state = in_canary();
    if (watching == 1) state = step(state, Promote{"bob", "sure"}, at(2)).state;
    const Transition t = step(state, Breach{"sensitivity", "too many missed", "{\"e\":200}"}, at(3));
    EXPECT_EQ(t.state.phase, Phase::kRolledBack);
    ASSERT_NE(traffic_of(t.before_commit), nullptr);
    EXPECT_EQ(candidate_ppm(traffic_of(t.before_commit)->split), 0U);
    EXPECT_TRUE(has<ReleaseBackend>(t.after_commit));
    EXPECT_EQ(t.notes.at(0).evidence, R"({"from":"1.0.0","rollout":"diagnosis-1","to":"2.0.0","e":200})");
    EXPECT_EQ(t.state.cause->evidence, R"({"e":200})");
    EXPECT_EQ(t.state.cause->trigger, "guardrail");
  }
}

TEST(RolloutStep, RollingBackTwiceChangesNothing) {
  const State rolled_back = step(in_canary(), RollBack{"alice", "looks wrong"}, at(2)).state;
  for (const Event& event :
       std::vector<Event>{RollBack{"bob", "me too"}, Breach{}, CandidateReady{}, Promote{}, Tick{}, Restarted{}}) {
    const Transition t = step(rolled_back, event, at(3));
    EXPECT_FALSE(t.changed);
    EXPECT_TRUE(t.before_commit.empty() && t.after_commit.empty());
    EXPECT_EQ(t.state, rolled_back);
  }
}

TEST(RolloutStep, APausedRolloutStandsButStillRollsBack) {
  const State paused = step(in_canary(), Pause{"alice", "lunch"}, at(2)).state;
  EXPECT_FALSE(step(paused, Tick{9'999}, at(500)).changed);
  EXPECT_EQ(candidate_ppm(split_of(paused)), 50'000U);
  EXPECT_EQ(step(paused, Breach{}, at(3)).state.phase, Phase::kRolledBack);
  const State resumed = step(paused, Resume{"alice", "back"}, at(500)).state;
  EXPECT_FALSE(step(resumed, Tick{9'999}, at(505)).changed);
  EXPECT_TRUE(step(resumed, Tick{9'999}, at(510)).changed);
}

TEST(RolloutStep, PausedBeforeTheCandidateIsReadyItGetsNothingUntilItIsResumed) {
  State state = step(start(fresh(), at(0), "a", "").state, Pause{"alice", "wait"}, at(0)).state;
  state = step(state, CandidateReady{}, Timestamp(seconds(10))).state;
  EXPECT_TRUE(state.candidate_ready);
  EXPECT_FALSE(step(state, Tick{}, at(5)).changed);
  EXPECT_EQ(candidate_ppm(split_of(state)), 0U);
  state = step(state, Resume{"alice", "go"}, at(6)).state;
  state = step(state, Tick{}, at(6)).state;
  EXPECT_EQ(state.phase, Phase::kStepping);
  EXPECT_EQ(candidate_ppm(split_of(state)), 50'000U);
}

TEST(RolloutStep, ACandidateThatIsNotReadyInTimeIsGivenUp) {
  const State warming = start(fresh(), at(0), "a", "").state;
  EXPECT_FALSE(step(warming, Tick{}, Timestamp(seconds(59))).changed);
  const Transition t = step(warming, Tick{}, Timestamp(seconds(60)));
  EXPECT_EQ(t.state.phase, Phase::kRolledBack);
  EXPECT_EQ(t.state.cause->trigger, "not_ready");
  const State failed = step(warming, CandidateFailed{"exit status 3"}, at(0)).state;
  EXPECT_EQ(failed.cause->reason, "exit status 3");
  EXPECT_EQ(failed.cause->trigger, "not_ready");
  EXPECT_EQ(step(in_canary(), CandidateFailed{"exit status 3"}, at(2)).state.cause->trigger, "backend_failed");
}

TEST(RolloutStep, GoesOnWithACandidateThatIsUpOnlyAndGivesUpOnOneThatStaysDown) {
  State state = step(in_canary(), Tick{9'999, true}, at(10)).state;
  const Transition down = step(state, Tick{9'999, false}, at(11) - seconds(1));
  EXPECT_FALSE(down.changed);
  EXPECT_TRUE(step(state, Tick{9'999, true}, at(11)).changed);
  const Transition lost = step(down.state, Tick{9'999, false}, at(11));
  EXPECT_EQ(lost.state.phase, Phase::kRolledBack);
  EXPECT_EQ(lost.state.cause->trigger, "backend_failed");
  EXPECT_EQ(candidate_ppm(traffic_of(lost.before_commit)->split), 0U);
}

TEST(RolloutStep, WaitsForACandidateAfterARestartAsLongAsAtFirst) {
  for (const State& before : {in_canary(), start(fresh(), at(0), "a", "").state}) {
    const State state = step(before, Restarted{}, at(500)).state;
    EXPECT_FALSE(step(state, Tick{0, false}, at(501) - seconds(1)).changed);
    EXPECT_EQ(step(state, Tick{0, false}, at(501)).state.phase, Phase::kRolledBack);
  }
}

TEST(RolloutStep, AFirstDeploymentServesEverythingWhenReady) {
  State state = fresh();
  state.stable.clear();
  const Transition started = start(state, at(0), "a", "");
  EXPECT_TRUE(split_of(started.state).arms.empty());
  const Transition t = step(started.state, CandidateReady{}, at(1));
  EXPECT_EQ(t.state.phase, Phase::kDone);
  EXPECT_EQ(candidate_ppm(split_of(t.state)), kWhole);
  EXPECT_EQ(t.stage_moves.size(), 1U);
}

TEST(RolloutStep, AfterARestartStableServesUntilTheCandidateIsReadyAgain) {
  const Transition restarted = step(in_canary(), Restarted{}, at(2));
  EXPECT_EQ(candidate_ppm(traffic_of(restarted.after_commit)->split), 0U);
  EXPECT_FALSE(step(restarted.state, Tick{9'999}, at(3) - seconds(1)).changed);
  const Transition ready = step(restarted.state, CandidateReady{}, at(3));
  EXPECT_EQ(candidate_ppm(traffic_of(ready.after_commit)->split), 50'000U);
}

TEST(RolloutStep, TimeInWhichNobodyLookedOrTheCandidateWasAwayIsNotTheSteps) {
  const State canary = in_canary();  // Since at(1), for ten minutes.
  State back = step(step(canary, Restarted{}, at(9)).state, CandidateReady{}, at(200)).state;
  EXPECT_FALSE(step(back, Tick{9'999}, at(209)).changed);
  EXPECT_TRUE(step(back, Tick{9'999}, at(210)).changed);

  State away = step(canary, Tick{9'999}, at(5)).state;
  away = step(away, Tick{9'999, false}, at(5) + seconds(1)).state;
  away = step(away, Tick{9'999, true}, at(5) + seconds(31)).state;
  EXPECT_FALSE(step(away, Tick{9'999}, at(11)).changed);
  EXPECT_TRUE(step(away, Tick{9'999}, at(11) + seconds(31)).changed);
}

TEST(RolloutStep, EvidenceGoesOnAfterARestartUnlessTheGuardrailsAreOthers) {
  State canary = in_canary();
  canary.policy = "a";
  EXPECT_TRUE(has<RestoreGuardrails>(step(canary, Restarted{"a", "{}"}, at(2)).after_commit));
  const Transition others = step(canary, Restarted{"b", "{}"}, at(2));
  EXPECT_FALSE(has<RestoreGuardrails>(others.after_commit));
  EXPECT_TRUE(has<ResetGuardrails>(others.after_commit));
}

TEST(RolloutStep, AFurtherStepOfTheSameExperimentHasGuardrailsThatPausedLookAnew) {
  const Transition next = step(in_canary(), Tick{1'000}, at(20));
  EXPECT_TRUE(has<RearmGuardrails>(next.after_commit));
  EXPECT_FALSE(has<ResetGuardrails>(next.after_commit));
}

TEST(RolloutStep, AFreezeThatTheServerIsStartedWithHoldsARolloutThatIsUnderWay) {
  const Calendar holidays{std::nullopt, {{at(0), at(5'000), "holidays"}}};
  const Transition restarted = step(in_canary(), Restarted{"", "{}", holidays}, at(2));
  ASSERT_EQ(restarted.notes.size(), 1U);
  EXPECT_EQ(restarted.notes[0].action, "rollout.calendar");
  const State ready = step(restarted.state, CandidateReady{}, at(3)).state;
  EXPECT_FALSE(step(ready, Tick{9'999}, at(100)).changed);
  EXPECT_EQ(step(ready, Breach{}, at(100)).state.phase, Phase::kRolledBack);
  // It is known from then on.
  EXPECT_FALSE(step(ready, Restarted{"", "{}", holidays}, at(101)).changed);
}

TEST(RolloutStep, EvidenceIsNumberedByTheStepThatItBeganWith) {
  State state = fresh();
  state.plan.steps = {{Step::Kind::kShadow, kWhole}, {Step::Kind::kCanary, 50'000}, {Step::Kind::kCanary, 250'000}};
  EXPECT_EQ(evidence_epoch(state), 0U);
  state.phase = Phase::kStepping;
  EXPECT_EQ(evidence_epoch(state), 1U);
  state.step_index = 1;
  EXPECT_EQ(evidence_epoch(state), 2U);
  EXPECT_EQ(new_epoch(state), 2U);
  state.step_index = 2;
  EXPECT_EQ(evidence_epoch(state), 2U);
  state.phase = Phase::kWatching;
  EXPECT_EQ(evidence_epoch(state), 2U);
  EXPECT_GE(new_epoch(state), evidence_epoch(state));
}

TEST(RolloutStep, ShadowServesNothingAndItsEvidenceIsNotCarriedOn) {
  State state = fresh();
  state.plan.steps.insert(state.plan.steps.begin(), {Step::Kind::kShadow, kWhole, milliseconds{0}, 10});
  const State shadowing = step(start(state, at(0), "a", "").state, CandidateReady{}, at(1)).state;
  EXPECT_EQ(split_of(shadowing).shadow, "2.0.0");
  EXPECT_EQ(candidate_ppm(split_of(shadowing)), 0U);
  const Transition canary = step(shadowing, Tick{10}, at(2));
  EXPECT_TRUE(has<ResetGuardrails>(canary.after_commit));
  EXPECT_FALSE(has<ResetGuardrails>(step(canary.state, Tick{1'000}, at(20)).after_commit));
}

TEST(RolloutStep, AWatchAfterAShadowStepBeginsItsEvidenceAnew) {
  State state = fresh();
  state.plan.steps = {{Step::Kind::kShadow, kWhole, milliseconds{0}, 10}};
  const State shadowing = step(start(state, at(0), "a", "").state, CandidateReady{}, at(1)).state;
  for (const Event& event : {Event(Tick{10}), Event(Promote{"alice", "sure"})}) {
    const Transition watching = step(shadowing, event, at(2));
    EXPECT_EQ(watching.state.phase, Phase::kWatching);
    EXPECT_TRUE(has<ResetGuardrails>(watching.after_commit));
  }
  EXPECT_FALSE(has<ResetGuardrails>(step(in_canary(), Promote{"alice", "sure"}, at(2)).after_commit));
}

State with_approvals() {
  State state = fresh();
  state.plan.steps[1].approval = true;
  state.plan.approve_promotion = true;
  return step(start(state, at(0), "alice", "why").state, CandidateReady{}, at(1)).state;
}

Transition tick(const State& state, int minute) {
  return step(state, Tick{1'000'000, true}, at(minute));
}

TEST(Approval, AStepWaitsForAPersonWhoIsAskedOnce) {
  State state = with_approvals();
  EXPECT_EQ(candidate_ppm(split_of(state)), 50'000U);
  const Transition asked = tick(state, 20);
  ASSERT_TRUE(asked.changed);
  EXPECT_EQ(asked.notes.at(0).action, "rollout.ask");
  EXPECT_EQ(asked.notes.at(0).reason, "Waits for an approval: 25% of the requests to 2.0.0.");
  EXPECT_EQ(asked.state.step_index, 0U);
  EXPECT_FALSE(tick(asked.state, 30).changed);
  EXPECT_NE(waiting_for(asked.state, at(30)).find("An approval"), std::string::npos);

  const Transition approved = step(asked.state, Approve{"bob", "looks good"}, at(31));
  EXPECT_EQ(approved.notes.at(0).action, "rollout.approve");
  EXPECT_EQ(approved.notes.at(0).actor, "bob");
  const Transition next = tick(approved.state, 32);
  EXPECT_EQ(next.state.step_index, 1U);
}

TEST(Approval, GivenBeforeItIsAskedForCoversTheNextStepOnly) {
  State state = step(with_approvals(), Approve{"bob", ""}, at(2)).state;
  state = tick(state, 20).state;
  EXPECT_EQ(state.step_index, 1U);
  const Transition asked = tick(state, 40);
  EXPECT_EQ(asked.notes.at(0).action, "rollout.ask");
  EXPECT_EQ(asked.state.phase, Phase::kStepping);
  state = step(asked.state, Approve{"bob", ""}, at(41)).state;
  EXPECT_EQ(tick(state, 42).state.phase, Phase::kWatching);
  EXPECT_FALSE(step(state, Approve{"bob", "again"}, at(43)).changed);
}

TEST(Approval, SaidTwiceApprovesNothingThatComesLater) {
  State state = step(with_approvals(), Approve{"bob", ""}, at(2)).state;
  EXPECT_FALSE(step(state, Approve{"bob", "a second click"}, at(2)).changed);
  state = tick(state, 20).state;
  // Who clicks late, on the same message, can't have meant the promotion: nobody was asked for it yet.
  EXPECT_FALSE(step(state, Approve{"eve", "a late click"}, at(21)).changed);
  const auto late = can_approve(state);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().message, "There is nothing to approve: the promotion of 2.0.0 is not asked for yet.");
  const Transition asked = tick(state, 40);
  EXPECT_EQ(asked.notes.at(0).action, "rollout.ask") << "The promotion is asked for all the same.";
  EXPECT_TRUE(can_approve(asked.state));
}

TEST(Approval, NeverHoldsUpARollback) {
  const State asked = tick(with_approvals(), 20).state;
  for (const Event& event :
       {Event(RollBack{"alice", "no"}), Event(Breach{"errors", "too many", "{}"}), Event(CandidateFailed{"gone"})})
    EXPECT_EQ(step(asked, event, at(21)).state.phase, Phase::kRolledBack);
}

/// The first step and the watch require something of errors.
State with_requirements() {
  State state = fresh();
  Requirement required;
  required.guardrail = "errors";
  required.tolerance = 1.5;
  state.plan.steps[0].proof = {{required}, std::chrono::hours(2), Proof::Otherwise::kRollBack};
  state.plan.steps[1].proof = {{required, required}, std::chrono::hours(2), Proof::Otherwise::kPause};
  state.plan.proof.require = {required};
  return step(start(state, at(0), "alice", "why").state, CandidateReady{}, at(1)).state;
}

const Shown kHolds{3.5, 3.0};
const Shown kDoesNot{1.13, 3.0};

Transition tick(const State& state, int minute, std::vector<Shown> shown) {
  return step(state, Tick{1'000'000, true, std::move(shown)}, at(minute));
}

TEST(Requirement, AStepIsLeftWhenItIsShownAndTheLogSaysSoOnce) {
  State state = with_requirements();
  const Transition waits = tick(state, 20, {kDoesNot});
  EXPECT_FALSE(waits.changed);
  EXPECT_EQ(waiting_for(waits.state, at(20)), "Non-inferiority of errors: E 3.1 of 20; 1h41m left.");
  EXPECT_FALSE(tick(state, 20).changed) << "No evidence at all is none.";
  const Transition proven = tick(waits.state, 21, {kHolds});
  ASSERT_TRUE(proven.changed);
  EXPECT_EQ(proven.notes.at(0).action, "rollout.require");
  EXPECT_EQ(proven.notes.at(0).reason, "2.0.0 has shown non-inferiority of errors: E 33 of 20.");
  EXPECT_NE(proven.notes.at(0).evidence.find(R"("shown":[{"log_e":3.5,"log_limit":3}])"), std::string::npos)
      << proven.notes.at(0).evidence;
  EXPECT_EQ(proven.state.step_index, 0U);
  const Transition next = tick(proven.state, 22, {kHolds});
  EXPECT_EQ(next.state.step_index, 1U);
  EXPECT_EQ(next.notes.size(), 1U);
}

TEST(Requirement, ThatWasShownAndNoLongerHoldsIsWaitedForAgain) {
  const State proven = tick(with_requirements(), 5, {kHolds}).state;
  EXPECT_EQ(proven.step_index, 0U) << "Its time is not over.";
  EXPECT_FALSE(tick(proven, 20, {kDoesNot}).changed);
  EXPECT_EQ(tick(proven, 21, {kHolds}).state.step_index, 1U);
}

TEST(Requirement, ThatIsNotShownInTimeEndsOrPausesTheRollout) {
  State state = with_requirements();
  EXPECT_FALSE(tick(state, 120, {kDoesNot}).changed);
  const Transition late = tick(state, 121, {kDoesNot});
  EXPECT_EQ(late.state.phase, Phase::kRolledBack);
  EXPECT_EQ(late.state.cause->trigger, "requirement");
  EXPECT_EQ(late.state.cause->reason, "2.0.0 has not shown within 2h: non-inferiority of errors: E 3.1 of 20.");
  EXPECT_EQ(candidate_ppm(traffic_of(late.before_commit)->split), 0U);

  state = tick(tick(state, 20, {kHolds}).state, 21, {kHolds}).state;
  EXPECT_FALSE(tick(state, 60, {kHolds, kDoesNot}).changed);
  const Transition paused = tick(state, 141, {kHolds, kDoesNot});
  EXPECT_TRUE(paused.state.paused);
  EXPECT_EQ(paused.notes.at(0).action, "rollout.pause");
  const State resumed = step(paused.state, Resume{"alice", "more time"}, at(150)).state;
  EXPECT_FALSE(tick(resumed, 200, {kHolds, kDoesNot}).changed);
}

TEST(Requirement, IsNotJudgedByEvidenceOfBeforeTheStepIsInForce) {
  const State state = with_requirements();
  Tick early{1'000'000, true, {kHolds}};
  early.settled = false;
  EXPECT_FALSE(step(state, early, at(20)).changed);
  early.shown = {kDoesNot};
  EXPECT_FALSE(step(state, early, at(500)).changed) << "Nor is the time over.";
  early.candidate_up = false;
  EXPECT_EQ(step(state, early, at(500)).state.phase, Phase::kRolledBack) << "A candidate that is down is given up.";
}

TEST(Requirement, ThatWasShownOnceHasMetItsTime) {
  State state = with_requirements();
  state.plan.steps[1].approval = true;
  state = tick(state, 20, {kHolds}).state;
  state = tick(state, 21, {kHolds}).state;
  EXPECT_EQ(state.asked, 2U);
  const Transition dip = tick(state, 500, {kDoesNot});
  EXPECT_FALSE(dip.changed);
  EXPECT_EQ(waiting_for(dip.state, at(500)), "Non-inferiority of errors: E 3.1 of 20.");
}

TEST(Requirement, HasItsTimeAnewWhenARestartForgotTheEvidence) {
  State state = step(with_requirements(), Restarted{}, at(100)).state;
  state = step(state, CandidateReady{}, at(100)).state;
  EXPECT_FALSE(tick(state, 219, {kDoesNot}).changed);
  EXPECT_NE(waiting_for(tick(state, 200, {kDoesNot}).state, at(200)).find("20m left"), std::string::npos);
  EXPECT_EQ(tick(state, 220, {kDoesNot}).state.phase, Phase::kRolledBack);
}

TEST(Requirement, OfTooFewOutcomesDoesNotHold) {
  const Transition waits = tick(with_requirements(), 20, {{3.5, 3.0, false}});
  EXPECT_FALSE(waits.changed);
  EXPECT_EQ(waiting_for(waits.state, at(20)),
            "Non-inferiority of errors: E 33 of 20, of too few outcomes; 1h41m left.");
}

TEST(Requirement, OfTheWatchHoldsUpItsEndOnly) {
  State state = step(with_requirements(), Promote{"bob", "sure"}, at(2)).state;
  EXPECT_EQ(state.phase, Phase::kWatching) << "A person's word goes past what steps require.";
  EXPECT_FALSE(tick(state, 62, {kDoesNot}).changed);
  EXPECT_FALSE(tick(state, 10'000, {kDoesNot}).changed) << "Without within it waits.";
  EXPECT_EQ(step(state, Breach{"errors", "too many", "{}"}, at(70)).state.phase, Phase::kRolledBack);
  state = tick(state, 70, {kHolds}).state;
  EXPECT_EQ(tick(state, 71, {kHolds}).state.phase, Phase::kDone);
}

TEST(Requirement, SaysWhatIsWrongWithIt) {
  Plan plan = default_plan();
  plan.steps[0].proof.within = std::chrono::hours(1);
  EXPECT_NE(plan.validate().error().message.find("requires nothing"), std::string::npos);
  Requirement required;
  required.guardrail = "errors";
  plan.steps[0].proof.require = {required};
  EXPECT_TRUE(plan.validate());
  plan.steps[0].proof.within = std::chrono::minutes(1);
  EXPECT_NE(plan.validate().error().message.find("Step 1"), std::string::npos);
  plan.steps[0].proof.within = milliseconds{0};
  plan.steps[0].proof.require[0].at_least = 0.9;
  EXPECT_FALSE(plan.validate());
}

TEST(Requirement, OfAWatchThatThereIsNotIsRefused) {
  Plan plan = default_plan();
  plan.proof.require.emplace_back().guardrail = "errors";
  EXPECT_TRUE(plan.validate());
  plan.watch = milliseconds{0};
  EXPECT_NE(plan.validate().error().message.find("requires something of its watch"), std::string::npos);
}

TEST(Requirement, OfSuperiorityTakesNoToleranceThatWouldMakeItSomethingElse) {
  Plan plan = default_plan();
  Requirement& required = plan.steps[0].proof.require.emplace_back();
  required.guardrail = "clicks";
  required.claim = Requirement::Claim::kSuperior;
  EXPECT_TRUE(plan.validate());
  required.tolerance = 2;
  EXPECT_FALSE(plan.validate());
  required.tolerance.reset();
  required.margin = 0.02;
  EXPECT_FALSE(plan.validate());
}

TEST(Calendar, OutsideOfItsHoursARolloutStandsAndStillRollsBack) {
  State state = fresh();
  // 1 January 1970 was a Thursday; at() counts from its midnight.
  state.plan.calendar.hours = OpeningHours{0b0001000, std::chrono::hours(9), std::chrono::hours(17), {}};
  state = step(start(state, at(0), "alice", "why").state, CandidateReady{}, at(1)).state;
  EXPECT_EQ(state.phase, Phase::kWarming);
  EXPECT_EQ(waiting_for(state, at(1)), "It is outside of the hours thu 09:00-17:00 (Z).");
  state = tick(state, 9 * 60).state;
  EXPECT_EQ(state.phase, Phase::kStepping);
  EXPECT_FALSE(tick(state, 17 * 60).changed);
  EXPECT_EQ(step(state, Breach{"errors", "too many", "{}"}, at(17 * 60)).state.phase, Phase::kRolledBack);
  EXPECT_EQ(step(state, RollBack{"alice", "no"}, at(18 * 60)).state.phase, Phase::kRolledBack);
}

TEST(Calendar, AFirstDeploymentWaitsForNobody) {
  State state = fresh();
  state.stable.clear();
  state.plan.approve_promotion = true;
  state.plan.calendar.freezes = {{at(0), at(1'000), "holidays"}};
  state = step(start(state, at(0), "alice", "why").state, CandidateReady{}, at(1)).state;
  EXPECT_EQ(state.phase, Phase::kDone);
}

TEST(Plan, SaysWhichStepIsWrong) {
  EXPECT_TRUE(default_plan().validate());
  EXPECT_TRUE(blue_green_plan().validate());
  Plan plan = default_plan();
  plan.steps[1].ppm = 50'000;
  EXPECT_NE(plan.validate().error().message.find("Step 2"), std::string::npos);
  plan = default_plan();
  plan.steps.push_back({Step::Kind::kShadow, 100, milliseconds{0}, 0});
  EXPECT_FALSE(plan.validate());
}

}  // namespace
}  // namespace backstay::rollout
