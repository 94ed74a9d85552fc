#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"
#include "wire/manifest_json.hpp"
#include "wire/scorecard_json.hpp"

namespace backstay {
namespace {

namespace fs = std::filesystem;

using registry::VersionRef;
using testing::IsEmpty;

VersionRef ref(const char* text) {
  return VersionRef::parse(text).value();
}

/// A registry in which everything has happened once.
class CheckRecordsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ledger = SqliteLedger::open(folder / "registry.db").value();
    add("m@1.0.0");
    add("m@1.1.0");
    const registry::Scorecard card{
        registry::ScorecardKind::kQuality, "test", "ci", {{"accuracy", "", 0.95, 200, {}, {}}}};
    ASSERT_TRUE(
        ledger->add_scorecard(ref("m@1.0.0"), card, {"ci", "scorecard.add", "m@1.0.0", "", wire::to_json(card)}));
    StoredVerdict verdict;
    verdict.gate = "production";
    verdict.verdict = "FAIL";
    verdict.evidence = R"({"decision":"FAIL","rows":[]})";
    ASSERT_TRUE(ledger->add_verdict(
        ref("m@1.0.0"), verdict, {"ci", "gate.verdict", "m@1.0.0", "Gate 'production' says FAIL.", verdict.evidence}));
    ASSERT_TRUE(ledger->set_alias("m", "champion", registry::SemanticVersion{1, 0, 0, ""}, std::nullopt,
                                  {"ann", "alias.set", "m@1.0.0", "", "{}"}));
    ASSERT_TRUE(ledger->declare({{"patients", "database", "14", "", false}},
                                {"ann", "infrastructure.declare", "infrastructure", "", "{}"}));
    ASSERT_TRUE(ledger->quarantine({lineage::Subject::Kind::kSlice, "wdbc/site-a"}, true,
                                   {"ann", "quarantine.add", "slice wdbc/site-a", "flipped", "{}"}));
    ASSERT_TRUE(ledger->add_scan(ref("m@1.0.0"), {}, {"ci", "version.scan", "m@1.0.0", "", "{}"}));
    ScanException exception;
    exception.envelope = "{}";
    exception.reason = "reviewed";
    ASSERT_TRUE(ledger->add_scan_exception(ref("m@1.0.0"), exception, {"ann", "scan.accept", "m@1.0.0", "", "{}"}));
    GateException released;
    released.envelope = "{}";
    released.reason = "reviewed";
    ASSERT_TRUE(
        ledger->add_gate_exception(ref("m@1.0.0"), released, {"ann", "gate.accept", "m@1.0.0", "reviewed", "{}"}));
    ASSERT_TRUE(ledger->add_signature(ref("m@1.0.0"), {0, "{}", "key", {}, "ann"},
                                      {"ann", "version.sign", "m@1.0.0", "", "{}"}));
    ASSERT_TRUE(ledger->remember("key-1", {sha256("POST /v1/models"), 201, "application/json", "{}"}));
    ASSERT_TRUE(ledger->serving_number("e", ref("m@1.0.0")));
    ASSERT_TRUE(ledger->serving_number("e", ref("m@1.1.0")));
    deploy();
  }

  void add(const char* version) {
    registry::Manifest manifest;
    manifest.ref = ref(version);
    manifest.artifacts = {{"model.onnx", 1, sha256(version)}};
    manifest.code.commit = "5e6f7a8b9c";
    manifest.changelog = "Trained anew, without site B";
    manifest.data = {{"wdbc", "training", "", {{"site-a", sha256("a"), 80, ""}}}};
    const std::string json = wire::to_canonical_json(manifest);
    ASSERT_TRUE(ledger->add_version(
        {manifest.ref, json, true, "ann"},
        {"ann", "version.register", version, "", fmt::format(R"({{"manifest_sha256":"{}"}})", sha256(json).hex())}));
  }
  void deploy() {
    rollout::State state;
    state.id = "e-1";
    state.endpoint = "e";
    state.candidate = "1.0.0";
    rollout::Transition moved = rollout::start(state, Timestamp(seconds(1)), "ann", "first");
    ASSERT_TRUE(ledger->commit(moved, "m"));
    moved = rollout::step(moved.state, rollout::CandidateReady{}, Timestamp(seconds(2)));
    ASSERT_TRUE(ledger->commit(moved, "m"));
    ASSERT_EQ(moved.state.phase, rollout::Phase::kDone);
  }
  /// What someone with another program could do to the file: triggers out of the way, then back.
  void tamper(const std::string& sql) {
    const auto raw = sqlite::Database::open(folder / "registry.db").value();
    auto triggers = raw.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'");
    std::vector<std::pair<std::string, std::string>> all;
    while (triggers.step().value()) all.emplace_back(triggers.text(0), triggers.text(1));
    ASSERT_TRUE(raw.execute("PRAGMA foreign_keys = OFF"));
    for (const auto& [name, definition] : all) ASSERT_TRUE(raw.execute(("DROP TRIGGER " + name).c_str()));
    const auto done = raw.execute(sql.c_str());
    ASSERT_TRUE(done) << sql << ": " << done.error().message;
    for (const auto& [name, definition] : all) ASSERT_TRUE(raw.execute(definition.c_str()));
  }
  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<std::string> tables() {
    const auto problems = ledger->check_records().value();
    std::vector<std::string> out;
    for (const RecordProblem& problem : problems)
      out.push_back(problem.table + ": " + problem.row + ": " + problem.what);
    return out;
  }

  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  std::unique_ptr<SqliteLedger> ledger;
};

TEST_F(CheckRecordsTest, FindsNothingInARegistryThatNobodyTouched) {
  EXPECT_THAT(tables(), IsEmpty());
}

struct Tampering {
  const char* sql;
  const char* found;  ///< How one of the problems begins.
};

class Tampered : public CheckRecordsTest, public ::testing::WithParamInterface<Tampering> {};

TEST_P(Tampered, IsFoundNamedAndRepairedFromACopy) {
  fs::copy(folder / "registry.db", folder / "copy.db");
  const std::string copy_before = read(folder / "copy.db");
  // What came after the copy was made is not lost.
  add("m@2.0.0");
  tamper(GetParam().sql);
  EXPECT_THAT(tables(), testing::Contains(testing::StartsWith(GetParam().found)));
  const auto repaired = ledger->repair_records(folder / "copy.db", "ann");
  if (std::string(GetParam().found).starts_with("schema: table")) {
    // Nobody but a person can say what it is there for.
    ASSERT_FALSE(repaired);
    EXPECT_EQ(repaired.error().code, ErrorCode::kIntegrity);
    EXPECT_EQ(tables().size(), 1u);
    return;
  }
  ASSERT_TRUE(repaired) << repaired.error().message;
  EXPECT_THAT(tables(), IsEmpty());
  EXPECT_TRUE(ledger->version(ref("m@2.0.0")));
  EXPECT_EQ(ledger->read(1, 100)->back().draft.action, "registry.repair");
  EXPECT_EQ(read(folder / "copy.db"), copy_before) << "a copy is only read";
  // Its triggers are back.
  const auto raw = sqlite::Database::open(folder / "registry.db").value();
  EXPECT_FALSE(raw.execute("DELETE FROM audit"));
}

INSTANTIATE_TEST_SUITE_P(
    EveryTable, Tampered,
    ::testing::Values(
        Tampering{"UPDATE versions SET manifest = replace(manifest, '80', '81') WHERE version = '1.0.0'",
                  "versions: m@1.0.0"},
        Tampering{"UPDATE versions SET identity = zeroblob(32) WHERE version = '1.0.0'", "versions: m@1.0.0"},
        Tampering{"UPDATE versions SET version = '1.2.0' WHERE version = '1.1.0'", "versions: m@1.2.0"},
        Tampering{"DELETE FROM stages WHERE version_id = 2", "stages: m@1.1.0"},
        Tampering{"DELETE FROM versions WHERE version = '1.1.0'", "versions: m@1.1.0: It was registered"},
        Tampering{"UPDATE scorecards SET scorecard = replace(scorecard, '0.95', '0.99')", "scorecards: m@1.0.0"},
        Tampering{"DELETE FROM scorecards", "scorecards: m@1.0.0"},
        Tampering{
            "INSERT INTO scorecards SELECT 9, version_id, replace(scorecard, '0.95', '0.99'), at, NULL FROM scorecards",
            "scorecards: m@1.0.0: No audit entry"},
        Tampering{"UPDATE scorecards SET version_id = 2", "scorecards: m@1.0.0"},
        Tampering{"UPDATE verdicts SET verdict = 'PASS'", "verdicts: m@1.0.0"},
        Tampering{"UPDATE verdicts SET evidence = '{}'", "verdicts: m@1.0.0"},
        Tampering{"UPDATE verdicts SET gate = 'other'", "verdicts: m@1.0.0"},
        Tampering{"UPDATE stages SET stage = 'Production' WHERE version_id = 2", "stages: m@1.1.0"},
        Tampering{"DELETE FROM stage_history WHERE version_id = 2", "stages: m@1.1.0"},
        Tampering{"UPDATE aliases SET version_id = 2", "aliases: m@champion"},
        Tampering{"DELETE FROM aliases", "aliases: m@champion"},
        Tampering{"INSERT INTO aliases VALUES('m', 'evil', 2, 1)", "aliases: m@evil"},
        Tampering{"UPDATE infrastructure SET version = '15'", "infrastructure: patients"},
        Tampering{"DELETE FROM infrastructure", "infrastructure: patients"},
        Tampering{"UPDATE version_data SET slice = 'site-b' WHERE version_id = 1", "lineage: m@1.0.0"},
        Tampering{"DELETE FROM version_code", "lineage: m@1.0.0"},
        Tampering{"INSERT INTO version_parents VALUES(1, 'm', '0.9.0')", "lineage: m@1.0.0"},
        Tampering{"UPDATE endpoints SET stable = '1.1.0'", "endpoints: e"},
        Tampering{"UPDATE rollouts SET revision = 9", "rollouts: e-1"},
        Tampering{"UPDATE rollouts SET state = '{}'", "rollouts: e-1"},
        Tampering{"UPDATE audit SET reason = 'all is well' WHERE sequence = 3", "audit: entry 3"},
        Tampering{"DELETE FROM audit WHERE sequence = 3", "audit: entry"},
        Tampering{
            "REPLACE INTO audit SELECT sequence, at, 'eve', action, subject, reason, evidence, previous, hash FROM "
            "audit WHERE sequence = 3",
            "audit: entry 3"},
        Tampering{"UPDATE audit SET actor = 'bob' WHERE sequence = 1", "audit: entry 1"},
        Tampering{"UPDATE versions SET registered_by = 'eve' WHERE version = '1.0.0'", "versions: m@1.0.0"},
        Tampering{"UPDATE versions SET complete = 0 WHERE version = '1.0.0'", "versions: m@1.0.0"},
        Tampering{"UPDATE scorecards SET at = at + 1", "scorecards: "},
        Tampering{"UPDATE verdicts SET decided_by = 'eve'", "verdicts: "},
        Tampering{"UPDATE stage_history SET stage = 'Production' WHERE version_id = 2; UPDATE stages SET stage = "
                  "'Production' WHERE version_id = 2",
                  "stage_history: "},
        Tampering{"UPDATE alias_history SET version_id = 2; UPDATE aliases SET version_id = 2", "alias_history: "},
        Tampering{"DELETE FROM alias_history; DELETE FROM aliases", "alias_history: "},
        Tampering{"UPDATE infrastructure_history SET version = '15'; UPDATE infrastructure SET version = '15'",
                  "infrastructure_history: "},
        Tampering{"UPDATE quarantines SET blocked = 0", "quarantines: "},
        Tampering{"DELETE FROM quarantines", "quarantines: "},
        Tampering{"INSERT INTO quarantines SELECT 9, kind, subject, 0, audit_sequence FROM quarantines",
                  "quarantines: "},
        Tampering{"UPDATE traffic SET share_ppm = 1", "traffic: "}, Tampering{"DELETE FROM traffic", "traffic: "},
        Tampering{"UPDATE servings SET number = number + 10", "servings: "},
        Tampering{"UPDATE scans SET verdict = 'dangerous'", "scans: "}, Tampering{"DELETE FROM scans", "scans: "},
        Tampering{"UPDATE signed_scan_exceptions SET expires = expires + 1000000", "signed_scan_exceptions: "},
        Tampering{"UPDATE signed_scan_exceptions SET envelope = '{ }'", "signed_scan_exceptions: "},
        Tampering{"UPDATE gate_exceptions SET expires = expires + 1000000", "gate_exceptions: "},
        Tampering{"UPDATE answers SET body = '[]'", "answers: key-1"},
        Tampering{"UPDATE answers SET status = 500", "answers: key-1"},
        Tampering{"UPDATE signatures SET bundle = '[]'", "signatures: "},
        Tampering{"UPDATE search_versions SET stage = 'Production' WHERE version_id = 2", "search: m@1.1.0"},
        Tampering{"UPDATE search_versions SET version_key = '' WHERE version_id = 1", "search: m@1.0.0"},
        Tampering{"UPDATE search_versions SET created = created + 1 WHERE version_id = 1", "search: m@1.0.0"},
        Tampering{"DELETE FROM search_versions WHERE version_id = 1", "search: m@1.0.0"},
        Tampering{
            "INSERT INTO search_versions SELECT 9, model, '9.0.0', version_key, 9, stage, created, registered_by, "
            "complete, identity FROM search_versions WHERE version_id = 1",
            "search: version 9"},
        Tampering{"UPDATE attributes SET text = text || 'b' WHERE version_id = 1 AND key = 'data.slice'",
                  "search: m@1.0.0"},
        Tampering{"INSERT INTO attributes VALUES(1, 'config.lr', '0.1', 0.1)", "search: m@1.0.0"},
        Tampering{"DELETE FROM attributes", "search: m@1.0.0"},
        Tampering{"UPDATE metrics SET value = 0.95000000000000006", "search: m@1.0.0"},
        Tampering{"INSERT INTO metrics VALUES(2, 'accuracy', '', 0.99)", "search: m@1.1.0"},
        Tampering{"DELETE FROM metrics", "search: m@1.0.0"},
        Tampering{"UPDATE newest_verdicts SET verdict = 'PASS'", "search: m@1.0.0"},
        Tampering{"DELETE FROM newest_verdicts", "search: m@1.0.0"},
        Tampering{"INSERT INTO changelogs(rowid, changelog) VALUES(2, 'approved')", "search: m@1.1.0"},
        Tampering{
            "INSERT INTO changelogs(changelogs, rowid, changelog) VALUES('delete', 1, 'Trained anew, without site "
            "B')",
            "search: m@1.0.0"},
        Tampering{"UPDATE changelogs_data SET block = zeroblob(length(block))", "search: "},
        Tampering{"DROP INDEX attributes_by_text", "schema: index attributes_by_text"},
        Tampering{"UPDATE audit_tree SET nodes = zeroblob(length(nodes)) WHERE sequence = 4", "audit_tree: entry 4"},
        Tampering{"DELETE FROM audit_tree WHERE sequence = 4", "audit_tree: entry 4"},
        Tampering{"CREATE TABLE notes(x)", "schema: table notes"},
        Tampering{"DROP INDEX audit_by_subject", "schema: index audit_by_subject"}));

TEST_F(CheckRecordsTest, AMissingTriggerIsFound) {
  const auto raw = sqlite::Database::open(folder / "registry.db").value();
  ASSERT_TRUE(raw.execute("DROP TRIGGER versions_refuse_UPDATE"));
  EXPECT_THAT(tables(), testing::ElementsAre(testing::StartsWith("schema: trigger versions_refuse_UPDATE")));
}

TEST_F(CheckRecordsTest, ReplacingARowIsRefusedInEveryTableThatIsOnlyAppendedTo) {
  const auto raw = sqlite::Database::open(folder / "registry.db").value();
  auto triggers =
      raw.prepare("SELECT tbl_name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '%refuse_UPDATE'");
  std::size_t filled = 0;
  while (triggers.step().value()) {
    const std::string table = triggers.text(0);
    if (table == "audit" || table == "audit_tree") continue;  // Their hashes tell.
    auto count = raw.prepare_once(fmt::format("SELECT COUNT(*) FROM {}", table));
    ASSERT_TRUE(count.step());
    if (count.integer(0) == 0) continue;
    ++filled;
    const auto replaced = raw.execute(fmt::format("REPLACE INTO {0} SELECT * FROM {0}", table).c_str());
    if (table == "version_data" || table == "version_code" || table == "version_parents") continue;  // Other numbers.
    ASSERT_FALSE(replaced) << table;
    EXPECT_NE(replaced.error().message.find("are never changed"), std::string::npos) << replaced.error().message;
  }
  EXPECT_GE(filled, 12u);
  for (const char* sql :
       {"REPLACE INTO versions SELECT 99, model, version, 99, identity, manifest, complete, "
        "registered_at, registered_by, audit_sequence FROM versions",
        "REPLACE INTO versions SELECT 99, model, '9.9.9', ordinal, identity, manifest, complete, "
        "registered_at, registered_by, audit_sequence FROM versions",
        "REPLACE INTO version_data(rowid, version_id, data_set, slice, sha256) SELECT rowid, version_id, "
        "data_set, 'site-b', sha256 FROM version_data",
        "REPLACE INTO servings SELECT 99, endpoint, version_id, audit_sequence FROM servings"}) {
    const auto replaced = raw.execute(sql);
    ASSERT_FALSE(replaced) << sql;
    EXPECT_NE(replaced.error().message.find("are never changed"), std::string::npos) << replaced.error().message;
  }
}

TEST_F(CheckRecordsTest, WhatWasLostWithTheFileIsRestoredFromACopy) {
  rollout::State state;
  state.id = "e-2";
  state.endpoint = "e";
  state.candidate = "1.1.0";
  ASSERT_TRUE(ledger->commit(rollout::start(state, Timestamp(seconds(3)), "ann", "second"), "m"));
  const auto wanted = ledger->read(1, 100).value();
  ledger.reset();
  fs::rename(folder / "registry.db", folder / "copy.db");
  ledger = SqliteLedger::open(folder / "registry.db").value();
  EXPECT_EQ(ledger->missing_beside(folder / "copy.db").value(), wanted.size());
  const auto repaired = ledger->repair_records(folder / "copy.db", "ann");
  ASSERT_TRUE(repaired) << repaired.error().message;
  EXPECT_THAT(tables(), IsEmpty());
  EXPECT_EQ(ledger->missing_beside(folder / "copy.db").value(), 0u);
  EXPECT_EQ(ledger->read(1, wanted.size())->back().hash, wanted.back().hash);
  EXPECT_TRUE(ledger->version(ref("m@1.0.0")));
  ASSERT_EQ(ledger->active_rollouts()->size(), 1u);
  EXPECT_EQ(ledger->active_rollouts()->at(0).id, "e-2");
}

TEST_F(CheckRecordsTest, ADamagedCopyOrOneOfAnotherRegistryRepairsNothing) {
  fs::copy(folder / "registry.db", folder / "copy.db");
  {
    const auto raw = sqlite::Database::open(folder / "copy.db").value();
    ASSERT_TRUE(raw.execute("DROP TRIGGER audit_refuse_UPDATE; UPDATE audit SET actor = 'eve' WHERE sequence = 1"));
    ASSERT_TRUE(SqliteLedger::open(folder / "other.db").value()->append({"bob", "note", "x", "", "{}"}));
  }
  for (const char* copy : {"copy.db", "other.db", "none.db"}) {
    const auto refused = ledger->repair_records(folder / copy, "ann");
    ASSERT_FALSE(refused) << copy;
  }
  EXPECT_THAT(tables(), IsEmpty());
  EXPECT_NE(ledger->read(1, 100)->back().draft.action, "registry.repair");
}

}  // namespace
}  // namespace backstay
