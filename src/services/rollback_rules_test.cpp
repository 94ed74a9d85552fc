#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "services/check_rollout.hpp"
#include "services/choose_return.hpp"
#include "services/find_dependents.hpp"
#include "storage/memory/memory_ledger.hpp"
#include "wire/manifest_json.hpp"

/// What stands between a version that was taken back and its next release, where an endpoint returns to, and what a
/// rollback takes with it.
namespace backstay::services {
namespace {

const IsWarm kAllWarm = [](const std::string&, const std::string&) { return true; };

registry::VersionRef ref(const std::string& text) {
  return registry::VersionRef::parse(text).value();
}

class TestClock : public Clock {
 public:
  Timestamp now() const override { return Timestamp(at); }
  Monotonic monotonic() const override { return Monotonic(at); }
  microseconds at{std::chrono::hours(1'000)};
};

class RollbackRules : public ::testing::Test {
 protected:
  void release(const std::string& text, const std::vector<registry::Dependency>& needs = {}) {
    registry::Manifest manifest;
    manifest.ref = ref(text);
    manifest.dependencies = needs;
    ASSERT_TRUE(ledger.add_version({manifest.ref, wire::to_canonical_json(manifest), true, "a"},
                                   {"a", "version.register", text, "", "{}"}));
    ASSERT_TRUE(ledger.add_scan(manifest.ref, {}, {"a", "version.scan", text, "", "{}"}));
    judge(text, "PASS");
  }
  void judge(const std::string& text, const std::string& verdict) {
    clock.at += seconds(1);
    StoredVerdict stored;
    stored.gate = "production";
    stored.verdict = verdict;
    ASSERT_TRUE(ledger.add_verdict(ref(text), stored, {"a", "gate.verdict", text, "", "{}"}));
  }
  void measure(const std::string& text) {
    clock.at += seconds(1);
    ASSERT_TRUE(ledger.add_scorecard(ref(text), {}, {"a", "scorecard.add", text, "", "{}"}));
  }
  /// A rollout from its beginning to where `event` ends it.
  rollout::State roll(const std::string& endpoint, const std::string& model, const std::string& stable,
                      const std::string& candidate, const rollout::Event& event) {
    rollout::State state;
    state.id = endpoint + "-" + std::to_string(ledger.next_rollout_number(endpoint).value());
    state.endpoint = endpoint;
    state.stable = stable;
    state.candidate = candidate;
    state.plan = rollout::blue_green_plan();
    rollout::Transition t = rollout::start(state, clock.now(), "a", "");
    EXPECT_TRUE(ledger.commit(t, model));
    for (const rollout::Event& next : {rollout::Event(rollout::CandidateReady{}), event}) {
      if (rollout::is_final(t.state.phase)) break;
      clock.at += seconds(1);
      t = rollout::step(t.state, next, clock.now());
      EXPECT_TRUE(ledger.commit(t, model));
    }
    return t.state;
  }
  rollout::State deploy(const std::string& endpoint, const std::string& model, const std::string& stable,
                        const std::string& candidate) {
    return roll(endpoint, model, stable, candidate, rollout::Promote{"a", ""});
  }

  rollout::State go_back(const std::string& endpoint, const std::string& model, const std::string& stable,
                         const std::string& former, const std::string& actor) {
    rollout::State state;
    state.id = endpoint + "-" + std::to_string(ledger.next_rollout_number(endpoint).value());
    state.endpoint = endpoint;
    state.stable = stable;
    state.candidate = former;
    state.revert = true;
    state.plan.watch = milliseconds{0};
    rollout::Transition t = rollout::start(state, clock.now(), actor, "");
    EXPECT_TRUE(ledger.commit(t, model));
    t = rollout::step(t.state, rollout::CandidateReady{}, clock.now());
    EXPECT_TRUE(ledger.commit(t, model));
    return t.state;
  }

  TestClock clock;
  MemoryLedger ledger{clock};
  Records records = records_of(ledger);
};

TEST_F(RollbackRules, AVersionThatAGuardrailTookBackNeedsANewMeasurementAndANewVerdict) {
  release("m@1.0.0");
  release("m@1.1.0");
  deploy("e", "m", "", "1.0.0");
  ASSERT_TRUE(check_taken_back(records, "e", ref("m@1.1.0")));
  roll("e", "m", "1.0.0", "1.1.0", rollout::Breach{"errors", "too many", "{}"});
  EXPECT_NE(check_taken_back(records, "e", ref("m@1.1.0")).error().message.find("nothing was measured"),
            std::string::npos);
  measure("m@1.1.0");
  EXPECT_NE(check_taken_back(records, "e", ref("m@1.1.0")).error().message.find("no gate judged it"),
            std::string::npos);
  judge("m@1.1.0", "PASS");
  EXPECT_TRUE(check_taken_back(records, "e", ref("m@1.1.0")));
}

TEST_F(RollbackRules, AVerdictIsAboutWhatWasMeasuredBeforeItWhateverTheClockSaid) {
  release("m@1.0.0");
  measure("m@1.0.0");
  clock.at -= std::chrono::hours(5);
  judge("m@1.0.0", "PASS");
  EXPECT_TRUE(check_rollout(records, "e", ref("m@1.0.0")));
  clock.at -= std::chrono::hours(5);
  measure("m@1.0.0");
  EXPECT_FALSE(check_rollout(records, "e", ref("m@1.0.0")));
}

TEST_F(RollbackRules, AVerdictAboutWhatWasKnownBeforeIsNoNews) {
  release("m@1.0.0");
  release("m@1.1.0");
  deploy("e", "m", "", "1.0.0");
  roll("e", "m", "1.0.0", "1.1.0", rollout::Breach{"errors", "too many", "{}"});
  judge("m@1.1.0", "PASS");
  EXPECT_FALSE(check_taken_back(records, "e", ref("m@1.1.0")));
}

TEST_F(RollbackRules, AVersionThatIsTakenBackAgainAndAgainHasToWait) {
  release("m@1.0.0");
  release("m@1.1.0");
  deploy("e", "m", "", "1.0.0");
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(check_damping(records, "e", ref("m@1.1.0"), clock.now())) << i;
    roll("e", "m", "1.0.0", "1.1.0", rollout::RollBack{"a", "complaints"});
  }
  const auto waits = check_damping(records, "e", ref("m@1.1.0"), clock.now());
  ASSERT_FALSE(waits);
  EXPECT_NE(waits.error().message.find("3 times"), std::string::npos) << waits.error().message;
  EXPECT_NE(waits.error().hint.find("--force"), std::string::npos);
  EXPECT_TRUE(check_damping(records, "e", ref("m@1.1.0"), clock.now() + std::chrono::hours(2)));
  EXPECT_TRUE(check_damping(records, "f", ref("m@1.1.0"), clock.now()));
}

TEST_F(RollbackRules, WhatHasToWaitIsNotStoredEitherUnlessSomeoneAnswersForIt) {
  release("m@1.0.0");
  release("m@1.1.0");
  deploy("e", "m", "", "1.0.0");
  rollout::State started;
  started.endpoint = "e";
  started.candidate = "1.1.0";
  EXPECT_TRUE(check_start(records, started, "m", {}, clock.now()));
  for (int i = 0; i < 3; ++i) roll("e", "m", "1.0.0", "1.1.0", rollout::RollBack{"a", "complaints"});
  const auto waits = check_start(records, started, "m", {}, clock.now());
  ASSERT_FALSE(waits);
  EXPECT_NE(waits.error().message.find("3 times"), std::string::npos) << waits.error().message;
  started.forced = true;
  EXPECT_TRUE(check_start(records, started, "m", {}, clock.now()));
  // It goes past nothing else.
  roll("e", "m", "1.0.0", "1.1.0", rollout::Breach{"errors", "too many", "{}"});
  EXPECT_NE(check_start(records, started, "m", {}, clock.now()).error().message.find("nothing was measured"),
            std::string::npos);
}

TEST_F(RollbackRules, AnEndpointReturnsToTheNewestVersionThatIsWarmGoodAndFits) {
  for (const char* version : {"m@1.0.0", "m@1.1.0", "m@1.2.0", "m@1.3.0"}) release(version);
  deploy("e", "m", "", "1.0.0");
  deploy("e", "m", "1.0.0", "1.1.0");
  deploy("e", "m", "1.1.0", "1.2.0");
  deploy("e", "m", "1.2.0", "1.3.0");
  const EndpointRecord record = *ledger.endpoint("e").value();
  ASSERT_EQ(record.standby, "1.2.0");
  EXPECT_EQ(choose_return(records, record, {}, kAllWarm)->version, "1.2.0");
  judge("m@1.2.0", "FAIL");
  const ReturnChoice next = choose_return(records, record, {}, kAllWarm).value();
  EXPECT_EQ(next.version, "1.1.0");
  EXPECT_NE(next.why.find("passed over 1.2.0: Gate 'production' says FAIL"), std::string::npos) << next.why;
  const auto only = [](const std::string& warm) {
    return [warm](const std::string&, const std::string& version) { return version == warm; };
  };
  EXPECT_EQ(choose_return(records, record, {}, only("1.0.0"))->version, "1.0.0");
  const ReturnChoice cold = choose_return(records, record, {}, only("none")).value();
  EXPECT_EQ(cold.version, "1.1.0");
  EXPECT_NE(cold.why.find("has to be started"), std::string::npos) << cold.why;
  EXPECT_EQ(nlohmann::json::parse(cold.evidence)["looked_at"].size(), 3U);
}

TEST_F(RollbackRules, AVersionThatAPersonLeftIsNoPlaceToReturnTo) {
  for (const char* version : {"m@1.0.0", "m@3.0.0", "m@4.0.0"}) release(version);
  deploy("e", "m", "", "1.0.0");
  deploy("e", "m", "1.0.0", "3.0.0");
  go_back("e", "m", "3.0.0", "1.0.0", "alice");
  deploy("e", "m", "1.0.0", "4.0.0");
  judge("m@1.0.0", "FAIL");
  const ReturnChoice choice = choose_return(records, *ledger.endpoint("e").value(), {}, kAllWarm).value();
  EXPECT_EQ(choice.version, "1.0.0") << choice.why;
  EXPECT_EQ(nlohmann::json::parse(choice.evidence)["looked_at"].size(), 1U);
}

TEST_F(RollbackRules, AVersionThatAPersonLeftAndReleasedAgainIsGoodAgain) {
  for (const char* version : {"m@1.0.0", "m@3.0.0", "m@4.0.0"}) release(version);
  deploy("e", "m", "", "1.0.0");
  deploy("e", "m", "1.0.0", "3.0.0");
  go_back("e", "m", "3.0.0", "1.0.0", "alice");
  deploy("e", "m", "1.0.0", "3.0.0");
  deploy("e", "m", "3.0.0", "4.0.0");
  EXPECT_EQ(choose_return(records, *ledger.endpoint("e").value(), {}, kAllWarm)->version, "3.0.0");
}

TEST_F(RollbackRules, AVersionThatWasLeftForAModelThatItNeedsDidNothingWrong) {
  for (const char* version : {"m@1.0.0", "m@3.0.0", "m@4.0.0"}) release(version);
  deploy("e", "m", "", "1.0.0");
  deploy("e", "m", "1.0.0", "3.0.0");
  go_back("e", "m", "3.0.0", "1.0.0", rollout::kSelf);
  deploy("e", "m", "1.0.0", "4.0.0");
  judge("m@1.0.0", "FAIL");
  EXPECT_EQ(choose_return(records, *ledger.endpoint("e").value(), {}, kAllWarm)->version, "3.0.0");
}

TEST_F(RollbackRules, WhatTheEndpointRequiresIsAskedOfAReturnToo) {
  for (const char* version : {"m@1.0.0", "m@1.1.0", "m@1.2.0"}) release(version);
  deploy("e", "m", "", "1.0.0");
  deploy("e", "m", "1.0.0", "1.1.0");
  deploy("e", "m", "1.1.0", "1.2.0");
  const Digest gate = sha256("the gate");
  StoredVerdict passed;
  passed.gate = "strict";
  passed.verdict = "PASS";
  passed.gate_digest = gate;
  ASSERT_TRUE(ledger.add_verdict(ref("m@1.0.0"), passed, {"a", "gate.verdict", "m@1.0.0", "", "{}"}));
  const ReleaseRules rules{{{"strict.yaml", gate}}, {}};
  const ReturnChoice choice = choose_return(records, *ledger.endpoint("e").value(), rules, kAllWarm).value();
  EXPECT_EQ(choice.version, "1.0.0");
  EXPECT_NE(choice.why.find("passed over 1.1.0: Endpoint 'e' requires the gate"), std::string::npos) << choice.why;
}

TEST_F(RollbackRules, WhatCouldNotBeBroughtBackIsNotTriedAgainBeforeWhatIsWarm) {
  for (const char* version : {"m@1.0.0", "m@1.1.0", "m@1.2.0"}) release(version);
  deploy("e", "m", "", "1.0.0");
  deploy("e", "m", "1.0.0", "1.1.0");
  deploy("e", "m", "1.1.0", "1.2.0");
  judge("m@1.1.0", "FAIL");
  const IsWarm only_standby = [](const std::string&, const std::string& version) { return version == "1.1.0"; };
  const EndpointRecord record = *ledger.endpoint("e").value();
  const ReturnChoice first = choose_return(records, record, {}, only_standby).value();
  EXPECT_EQ(first.version, "1.0.0");
  EXPECT_EQ(first.instead, "1.1.0");
  EXPECT_EQ(nlohmann::json::parse(first.evidence)["should_it_fail"], "1.1.0");
  rollout::State state;
  state.id = "e-9";
  state.endpoint = "e";
  state.stable = "1.2.0";
  state.candidate = "1.0.0";
  state.revert = true;
  rollout::Transition t = rollout::start(state, clock.now(), "a", "");
  ASSERT_TRUE(ledger.commit(t, "m"));
  t = rollout::step(t.state, rollout::CandidateFailed{"exit status 3"}, clock.now());
  ASSERT_TRUE(ledger.commit(t, "m"));
  const ReturnChoice next = choose_return(records, record, {}, only_standby).value();
  EXPECT_EQ(next.version, "1.1.0");
  EXPECT_NE(next.why.find("passed over 1.0.0: e-9 could not bring it back: exit status 3"), std::string::npos)
      << next.why;
}

TEST(ChooseAmong, TakesWhatFitsBeforeNothingAndNeverWhatDoesNot) {
  EXPECT_EQ(choose_among({{"1.0.0", "", "no gate", true}}, "2.0.0").version, "1.0.0");
  EXPECT_NE(choose_among({{"1.0.0", "", "no gate", true}}, "2.0.0").why.find("no gate"), std::string::npos);
  const ReturnChoice none = choose_among({{"1.0.0", "it needs patients 14", "", true}}, "2.0.0");
  EXPECT_EQ(none.version, "");
  EXPECT_NE(none.why.find("it needs patients 14"), std::string::npos);
  EXPECT_NE(choose_among({}, "2.0.0").why.find("No version served here"), std::string::npos);
}

registry::Dependency on_model(const std::string& name, const std::string& range) {
  return {name, "model", "upstream", range, ""};
}

class Dependents : public RollbackRules {
 protected:
  /// Endpoint `tags` serves ner and went from 1.0.0 to 1.1.0, which `triage` 2.0.0 needs.
  void SetUp() override {
    release("ner@1.0.0");
    release("ner@1.1.0");
    release("triage@1.0.0");
    release("triage@2.0.0", {on_model("ner", ">=1.1")});
    deploy("tags", "ner", "", "1.0.0");
    deploy("triage", "triage", "", "1.0.0");
  }
  rollout::State revert() { return go_back("tags", "ner", "1.1.0", "1.0.0", "a"); }
};

TEST_F(Dependents, AReleaseWaitsForTheModelThatItNeeds) {
  const auto refused = check_return(records, ref("triage@2.0.0"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("needs the model 'ner' >=1.1; live is 1.0.0 on 'tags'"), std::string::npos)
      << refused.error().message;
  deploy("tags", "ner", "1.0.0", "1.1.0");
  EXPECT_TRUE(check_return(records, ref("triage@2.0.0")));
}

TEST_F(Dependents, WhatServesAndNeedsTheVersionThatWasLeftIsFoundWithWhereItCanGo) {
  deploy("tags", "ner", "1.0.0", "1.1.0");
  deploy("triage", "triage", "1.0.0", "2.0.0");
  const rollout::State ended = revert();
  ASSERT_EQ(ended.phase, rollout::Phase::kDone);
  const auto found = find_dependents(records, ended, {}, kAllWarm).value();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].endpoint, "triage");
  EXPECT_EQ(found[0].version, "2.0.0");
  EXPECT_FALSE(found[0].candidate);
  EXPECT_EQ(found[0].target.version, "1.0.0");
  EXPECT_EQ(found[0].reason,
            "triage@2.0.0 needs the model 'ner' >=1.1; live is 1.0.0 on 'tags', since tags-3 took 1.1.0 back.");
}

TEST_F(Dependents, ACandidateThatNeedsTheVersionThatWasTakenBackIsFound) {
  deploy("tags", "ner", "1.0.0", "1.1.0");
  rollout::State state;
  state.id = "triage-2";
  state.endpoint = "triage";
  state.stable = "1.0.0";
  state.candidate = "2.0.0";
  state.plan = rollout::default_plan();
  ASSERT_TRUE(ledger.commit(rollout::start(state, clock.now(), "a", ""), "triage"));
  const auto found = find_dependents(records, revert(), {}, kAllWarm).value();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].candidate);
  EXPECT_EQ(found[0].version, "2.0.0");
}

TEST_F(Dependents, WhatIsServedElsewhereInAVersionThatWillDoIsNotMissing) {
  deploy("tags", "ner", "1.0.0", "1.1.0");
  deploy("tags-too", "ner", "", "1.1.0");
  deploy("triage", "triage", "1.0.0", "2.0.0");
  EXPECT_TRUE(find_dependents(records, revert(), {}, kAllWarm)->empty());
}

TEST_F(Dependents, WhatWasUnmetBeforeIsNotTheRollbacksDoing) {
  release("triage@3.0.0", {on_model("ner", ">=9")});
  deploy("tags", "ner", "1.0.0", "1.1.0");
  deploy("triage", "triage", "1.0.0", "3.0.0");
  EXPECT_TRUE(find_dependents(records, revert(), {}, kAllWarm)->empty());
}

TEST_F(Dependents, AnEndpointThatTheConfigurationNoLongerNamesServesNothing) {
  deploy("tags", "ner", "1.0.0", "1.1.0");
  deploy("gone", "ner", "", "1.1.0");
  deploy("triage", "triage", "1.0.0", "2.0.0");
  deploy("old-triage", "triage", "", "2.0.0");
  const std::set<std::string> configured{"tags", "triage"};
  records.configured = &configured;
  const auto found = find_dependents(records, revert(), {}, kAllWarm).value();
  ASSERT_EQ(found.size(), 1U) << "1.1.0 is live nowhere, though 'gone' is remembered with it.";
  EXPECT_EQ(found[0].endpoint, "triage");
  EXPECT_FALSE(check_return(records, ref("triage@2.0.0")));
}

TEST_F(Dependents, AnEndpointWhoseRecordsCannotBeReadDoesNotHideTheOthers) {
  ASSERT_TRUE(
      ledger.add_version({ref("bad@1.0.0"), "no manifest", true, "a"}, {"a", "version.register", "bad", "", "{}"}));
  deploy("bad", "bad", "", "1.0.0");
  deploy("tags", "ner", "1.0.0", "1.1.0");
  deploy("triage", "triage", "1.0.0", "2.0.0");
  const auto found = find_dependents(records, revert(), {}, kAllWarm).value();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(found[0].unknown);
  EXPECT_NE(found[0].reason.find("bad@1.0.0"), std::string::npos) << found[0].reason;
  EXPECT_EQ(found[1].endpoint, "triage");
  EXPECT_EQ(found[1].because_of, "tags-3");
}

}  // namespace
}  // namespace backstay::services
