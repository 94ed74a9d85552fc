#include <gmock/gmock.h>

#include "storage/sqlite/contract_stores_test.hpp"
#include "wire/manifest_json.hpp"

// What every store of releases, infrastructure and lineage promises (ports/releases.hpp, ports/lineage.hpp).
namespace backstay {
namespace {

using lineage::Subject;
using registry::SemanticVersion;
using registry::VersionRef;
using testing::ElementsAre;
using testing::IsEmpty;
using Kind = Subject::Kind;

VersionRef ref(const char* text) {
  return VersionRef::parse(text).value();
}

std::vector<std::string> names(const std::vector<VersionRef>& refs) {
  std::vector<std::string> out;
  for (const VersionRef& r : refs) out.push_back(r.str());
  return out;
}

template <class Store>
class ReleasesContract : public ::testing::Test {
 protected:
  /// A version of the slices site-a and, when it is given, another one.
  void add(const char* version, const std::string& slice = "", const std::string& parent = "") {
    registry::Manifest manifest;
    manifest.ref = ref(version);
    manifest.artifacts = {{"model.onnx", 1, sha256(version)}};
    manifest.code.commit = "5e6f7a8b9c";
    manifest.data = {{"wdbc", "training", "", {{"site-a", sha256("a"), 80, ""}}}};
    if (!slice.empty()) manifest.data[0].slices.push_back({slice, sha256(slice), 50, ""});
    if (!parent.empty()) manifest.parents = {ref(parent.c_str())};
    ASSERT_TRUE(ledger.add_version({manifest.ref, wire::to_canonical_json(manifest), true, "ann"},
                                   {"ann", "version.register", version, "", "{}"}));
  }
  /// Runs a canary of 1.1.0 over 1.0.0 to its first step.
  rollout::Transition canary() {
    rollout::State state;
    state.id = "diagnosis-1";
    state.endpoint = "diagnosis";
    state.stable = "1.0.0";
    state.candidate = "1.1.0";
    state.plan = rollout::default_plan();
    state.plan.steps = {{rollout::Step::Kind::kCanary, 50'000, milliseconds(0), 0}};
    rollout::Transition moved = rollout::start(state, Timestamp(seconds(1)), "ann", "better");
    EXPECT_TRUE(ledger.commit(moved, "m"));
    moved = rollout::step(moved.state, rollout::CandidateReady{}, Timestamp(seconds(2)));
    EXPECT_TRUE(ledger.commit(moved, "m"));
    return moved;
  }
  static audit::Draft why(const std::string& subject) { return {"ann", "test", subject, "because", "{}"}; }

  Store store;
  decltype(store.ledger)& ledger = store.ledger;
};
TYPED_TEST_SUITE(ReleasesContract, ContractStores);

TYPED_TEST(ReleasesContract, AStageMovesFromWhereItIsOnly) {
  this->add("m@1.0.0");
  EXPECT_EQ(this->ledger.move_stage(ref("m@1.0.0"), "Production", "Archived", this->why("m@1.0.0")).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(this->ledger.size().value(), 1u);
  ASSERT_TRUE(this->ledger.move_stage(ref("m@1.0.0"), "Staging", "Archived", this->why("m@1.0.0")));
  EXPECT_EQ(this->ledger.version(ref("m@1.0.0"))->stage, "Archived");
  EXPECT_EQ(this->ledger.move_stage(ref("m@1.0.0"), "Staging", "Archived", this->why("m@1.0.0")).error().code,
            ErrorCode::kConflict);
}

TYPED_TEST(ReleasesContract, OfTwoWhoMoveAnAliasAtOnceOneIsTold) {
  this->add("m@1.0.0");
  this->add("m@1.1.0");
  const auto one = SemanticVersion{1, 0, 0, ""};
  const auto two = SemanticVersion{1, 1, 0, ""};
  ASSERT_TRUE(this->ledger.set_alias("m", "champion", one, std::nullopt, this->why("m@1.0.0")));
  ASSERT_TRUE(this->ledger.set_alias("m", "champion", two, one, this->why("m@1.1.0")));
  EXPECT_EQ(this->ledger.set_alias("m", "champion", two, one, this->why("m@1.1.0")).error().code, ErrorCode::kConflict);
  EXPECT_EQ(
      this->ledger.set_alias("m", "other", SemanticVersion{9, 0, 0, ""}, std::nullopt, this->why("x")).error().code,
      ErrorCode::kNotFound);
  const auto aliases = this->ledger.aliases("m").value();
  ASSERT_EQ(aliases.size(), 1u);
  EXPECT_EQ(aliases[0].ref.str(), "m@1.1.0");
  EXPECT_EQ(aliases[0].set_by, "ann");
  ASSERT_TRUE(this->ledger.set_alias("m", "champion", std::nullopt, two, this->why("m@1.1.0")));
  EXPECT_THAT(this->ledger.aliases("m").value(), IsEmpty());
}

TYPED_TEST(ReleasesContract, HistoryHasWhatConcernsTheModelAndNothingElse) {
  this->add("m@1.0.0");
  this->add("m@1.1.0");
  this->add("m-2@1.0.0");
  this->add("ma@1.0.0");
  this->canary();
  ASSERT_TRUE(this->ledger.append(this->why("endpoint other")));
  std::vector<std::string> seen;
  const std::vector<audit::Entry> history = this->ledger.history("m").value();
  for (const audit::Entry& entry : history) seen.push_back(entry.draft.action + " " + entry.draft.subject);
  EXPECT_THAT(seen, ElementsAre("version.register m@1.0.0", "version.register m@1.1.0",
                                "rollout.start endpoint diagnosis", "rollout.advance endpoint diagnosis"));
}

TYPED_TEST(ReleasesContract, InfrastructureIsWhatWasDeclaredLast) {
  ASSERT_TRUE(this->ledger.declare({{"patients", "database", "14", "", false}, {"events", "queue", "3", "", false}},
                                   this->why("infrastructure")));
  ASSERT_TRUE(this->ledger.declare({{"patients", "database", "15", "", true}}, this->why("infrastructure")));
  const auto live = this->ledger.infrastructure().value();
  ASSERT_EQ(live.size(), 2u);
  EXPECT_EQ(live[0].name, "events");
  EXPECT_EQ(live[1], (registry::Infrastructure{"patients", "database", "15", "", true}));
}

TYPED_TEST(ReleasesContract, AServingKeepsItsNumber) {
  this->add("m@1.0.0");
  this->add("m@1.1.0");
  const std::uint32_t first = this->ledger.serving_number("diagnosis", ref("m@1.0.0")).value();
  const std::uint32_t second = this->ledger.serving_number("diagnosis", ref("m@1.1.0")).value();
  EXPECT_NE(first, 0u);
  EXPECT_NE(first, second);
  EXPECT_NE(first, this->ledger.serving_number("triage", ref("m@1.0.0")).value());
  EXPECT_EQ(first, this->ledger.serving_number("diagnosis", ref("m@1.0.0")).value());
  EXPECT_EQ(this->ledger.serving(second)->ref.str(), "m@1.1.0");
  EXPECT_EQ(this->ledger.serving(second)->endpoint, "diagnosis");
  EXPECT_EQ(this->ledger.serving(1000).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(this->ledger.serving_number("diagnosis", ref("m@9.0.0")).error().code, ErrorCode::kNotFound);
}

TYPED_TEST(ReleasesContract, FindsVersionsByWhatTheyWereMadeFrom) {
  this->add("m@1.0.0");
  this->add("m@1.1.0", "site-d");
  this->add("n@1.0.0", "", "m@1.1.0");
  EXPECT_THAT(names(this->ledger.made_from({Kind::kSlice, "wdbc/site-d"}).value()), ElementsAre("m@1.1.0"));
  EXPECT_THAT(names(this->ledger.made_from({Kind::kSliceDigest, sha256("site-d").hex()}).value()),
              ElementsAre("m@1.1.0"));
  EXPECT_THAT(names(this->ledger.made_from({Kind::kDataSet, "wdbc"}).value()),
              ElementsAre("m@1.0.0", "m@1.1.0", "n@1.0.0"));
  EXPECT_THAT(names(this->ledger.made_from({Kind::kCommit, "5e6f7a8b9c"}).value()).size(), 3u);
  EXPECT_THAT(names(this->ledger.made_from({Kind::kVersion, "m@1.0.0"}).value()), ElementsAre("m@1.0.0"));
  EXPECT_THAT(names(this->ledger.children(ref("m@1.1.0")).value()), ElementsAre("n@1.0.0"));
  EXPECT_THAT(this->ledger.children(ref("m@1.0.0")).value(), IsEmpty());
}

TYPED_TEST(ReleasesContract, ANameMayMeanASliceADataSetACommitOrADigest) {
  this->add("m@1.0.0", "site-d");
  EXPECT_THAT(this->ledger.find_subjects("site-d").value(), ElementsAre(Subject{Kind::kSlice, "wdbc/site-d"}));
  EXPECT_THAT(this->ledger.find_subjects("wdbc/site-d").value(), ElementsAre(Subject{Kind::kSlice, "wdbc/site-d"}));
  EXPECT_THAT(this->ledger.find_subjects("wdbc").value(), ElementsAre(Subject{Kind::kDataSet, "wdbc"}));
  EXPECT_THAT(this->ledger.find_subjects("5e6f7a8").value(), ElementsAre(Subject{Kind::kCommit, "5e6f7a8b9c"}));
  const std::string hex = sha256("site-d").hex();
  EXPECT_THAT(this->ledger.find_subjects("sha256:" + hex.substr(0, 9)).value(),
              ElementsAre(Subject{Kind::kSliceDigest, hex}));
  EXPECT_THAT(this->ledger.find_subjects("5e6f7a").value(), IsEmpty());
  EXPECT_THAT(this->ledger.find_subjects("").value(), IsEmpty());
}

TYPED_TEST(ReleasesContract, TrafficIsWindowsThatFollowOneAnother) {
  this->add("m@1.0.0");
  this->add("m@1.1.0");
  const rollout::Transition stepping = this->canary();
  auto windows = this->ledger.traffic(ref("m@1.1.0")).value();
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_EQ(windows[0].ppm, 50'000u);
  EXPECT_EQ(windows[0].role, traffic::Role::kCandidate);
  EXPECT_FALSE(windows[0].until);
  ASSERT_TRUE(this->ledger.commit(
      rollout::step(stepping.state, rollout::RollBack{"ann", "worse"}, Timestamp(seconds(3))), "m"));
  windows = this->ledger.traffic(ref("m@1.1.0")).value();
  ASSERT_EQ(windows.size(), 1u);
  ASSERT_TRUE(windows[0].until);
  EXPECT_GE(*windows[0].until, windows[0].from);
  const auto stable = this->ledger.traffic(ref("m@1.0.0")).value();
  ASSERT_EQ(stable.size(), 3u);
  EXPECT_EQ(stable[1].ppm, 950'000u);
  EXPECT_EQ(stable[2].ppm, traffic::kWhole);
  EXPECT_EQ(stable[2].from, *windows[0].until);
}

TYPED_TEST(ReleasesContract, AQuarantineIsInForceUntilItIsLifted) {
  const Subject slice{Kind::kSlice, "wdbc/site-d"};
  ASSERT_TRUE(this->ledger.quarantine(slice, true, this->why("slice wdbc/site-d")));
  EXPECT_EQ(this->ledger.quarantine(slice, true, this->why("x")).error().code, ErrorCode::kConflict);
  const auto blocked = this->ledger.quarantines().value();
  ASSERT_EQ(blocked.size(), 1u);
  EXPECT_EQ(blocked[0].subject, slice);
  EXPECT_EQ(blocked[0].reason, "because");
  ASSERT_TRUE(this->ledger.quarantine(slice, false, this->why("slice wdbc/site-d")));
  EXPECT_THAT(this->ledger.quarantines().value(), IsEmpty());
  EXPECT_EQ(this->ledger.quarantine(slice, false, this->why("x")).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(this->ledger.quarantine(slice, true, this->why("slice wdbc/site-d")));
}

}  // namespace
}  // namespace backstay
