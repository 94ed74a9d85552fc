#include "storage/sqlite/sqlite_ledger.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>

#include "base/random.hpp"
#include "base/temporary_folder.hpp"
#include "storage/sqlite/database.hpp"

namespace backstay {
namespace {

namespace fs = std::filesystem;

class SqliteLedgerTest : public ::testing::Test {
 protected:
  void SetUp() override { file = folder / "registry.db"; }
  std::unique_ptr<SqliteLedger> open() { return SqliteLedger::open(file).value(); }
  static Result<VersionStore::Registered> add(SqliteLedger& ledger, int number, const std::string& content = "") {
    const std::string version = fmt::format("m@1.{}.0", number);
    return ledger.add_version({registry::VersionRef::parse(version).value(),
                               fmt::format("{{\"n\":{},\"c\":\"{}\"}}", number, content), true, "alice"},
                              {"alice", "version.register", version, "why", "{}"});
  }

  /// The stored tree is that of the stored entries.
  static void check_tree(const SqliteLedger& ledger) {
    audit::CompactRange edge;
    const std::vector<audit::Entry> entries = ledger.read(1, 100'000).value();
    for (const audit::Entry& entry : entries) ASSERT_TRUE(edge.append(audit::leaf_hash(audit::leaf_bytes(entry))));
    const auto stored = audit::root_of(edge.size(), [&](audit::NodeId node) { return ledger.tree_node(node); });
    ASSERT_TRUE(stored);
    EXPECT_EQ(*stored, edge.root().value());
    EXPECT_FALSE(ledger.tree_node({0, edge.size()}));
  }

  const TemporaryFolder temporary;
  const fs::path folder = temporary.path();
  fs::path file;
};

TEST_F(SqliteLedgerTest, IsThereAgainAfterClosing) {
  {
    auto ledger = open();
    ASSERT_TRUE(add(*ledger, 1));
  }
  auto ledger = open();
  EXPECT_EQ(ledger->versions("m")->size(), 1u);
  EXPECT_TRUE(audit::verify(ledger->read(1, 10).value()));
}

TEST_F(SqliteLedgerTest, ARegistryOfTheFirstReleaseIsBroughtUpToDate) {
  Digest root;
  {
    auto ledger = open();
    for (int i = 0; i < 37; ++i) ASSERT_TRUE(add(*ledger, i));
    root = audit::root_of(37, [&](audit::NodeId node) { return ledger->tree_node(node); }).value();
    // As the first release left it.
    const auto raw = sqlite::Database::open(file).value();
    ASSERT_TRUE(raw.execute("PRAGMA foreign_keys = OFF"));
    for (const char* trigger :
         {"search_first_stage", "search_stage", "search_verdict", "search_scan", "versions_refuse_REPLACE",
          "scorecards_refuse_REPLACE", "verdicts_refuse_REPLACE", "stage_history_refuse_REPLACE"})
      ASSERT_TRUE(raw.execute(fmt::format("DROP TRIGGER {}", trigger).c_str()));
    for (const char* table : {"search_versions",
                              "attributes",
                              "metrics",
                              "newest_verdicts",
                              "changelogs",
                              "answers",
                              "told",
                              "dead_letters",
                              "audit_tree",
                              "signatures",
                              "scans",
                              "scan_exceptions",
                              "gate_exceptions",
                              "signed_scan_exceptions",
                              "aliases",
                              "alias_history",
                              "infrastructure",
                              "infrastructure_history",
                              "version_data",
                              "version_code",
                              "version_parents",
                              "servings",
                              "traffic",
                              "quarantines"})
      ASSERT_TRUE(raw.execute(fmt::format("DROP TABLE {}", table).c_str()));
    for (const char* index : {"rollouts_of_model", "audit_by_subject", "versions_by_entry", "scorecards_by_entry",
                              "verdicts_by_entry", "stage_history_by_entry"})
      ASSERT_TRUE(raw.execute(fmt::format("DROP INDEX {}", index).c_str()));
    for (const char* table : {"versions", "scorecards", "verdicts"})
      ASSERT_TRUE(raw.execute(fmt::format("ALTER TABLE {} DROP COLUMN audit_sequence", table).c_str()));
    ASSERT_TRUE(raw.execute("ALTER TABLE rollouts DROP COLUMN model; PRAGMA user_version = 1"));
  }
  auto ledger = open();
  const auto read = [&](audit::NodeId node) { return ledger->tree_node(node); };
  EXPECT_EQ(audit::root_of(37, read).value(), root);
  ASSERT_TRUE(add(*ledger, 37));
  EXPECT_TRUE(audit::root_of(38, read));
}

TEST_F(SqliteLedgerTest, RefusesADatabaseFromANewerProgramAndLeavesItAsItWas) {
  open();
  {
    const auto raw = sqlite::Database::open(file).value();
    ASSERT_TRUE(raw.execute("PRAGMA user_version = 99"));
  }
  const auto refused = SqliteLedger::open(file);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("newer"), std::string::npos);
}

TEST_F(SqliteLedgerTest, RefusesADatabaseOfAnotherProgram) {
  {
    const auto raw = sqlite::Database::open(file).value();
    ASSERT_TRUE(raw.execute("CREATE TABLE songs(title TEXT)"));
  }
  EXPECT_EQ(SqliteLedger::open(file).error().code, ErrorCode::kIntegrity);
}

TEST_F(SqliteLedgerTest, SaysThatADamagedFileIsDamaged) {
  std::ofstream(file) << std::string(8192, 'x');
  EXPECT_EQ(SqliteLedger::open(file).error().code, ErrorCode::kIntegrity);
}

TEST_F(SqliteLedgerTest, TheDatabaseItselfRefusesToChangeWhatWasRecorded) {
  {
    auto ledger = open();
    ASSERT_TRUE(add(*ledger, 1));
    ASSERT_TRUE(ledger->add_signature(registry::VersionRef::parse("m@1.1.0").value(), {0, "{}", "key", {}, "alice"},
                                      {"alice", "version.sign", "m@1.1.0", "", "{}"}));
  }
  const auto raw = sqlite::Database::open(file).value();
  const registry::VersionRef ref = open()->versions("").value().at(0).ref;
  ASSERT_TRUE(open()->add_scan(ref, {}, {"ci", "version.scan", "", "", "{}"}));
  ScanException exception;
  exception.reason = "reviewed";
  ASSERT_TRUE(open()->add_scan_exception(ref, exception, {"ci", "scan.accept", "", "", "{}"}));
  for (const char* sql :
       {"UPDATE signatures SET signer = 'mallory'", "DELETE FROM signatures",
        "UPDATE audit_tree SET nodes = zeroblob(32)", "DELETE FROM audit_tree", "UPDATE versions SET manifest = '{}'",
        "UPDATE scans SET verdict = 'safe'", "DELETE FROM scans", "UPDATE signed_scan_exceptions SET expires = 9e18",
        "DELETE FROM signed_scan_exceptions", "DELETE FROM versions", "UPDATE audit SET reason = ''",
        "DELETE FROM audit", "DELETE FROM stage_history"})
    EXPECT_FALSE(raw.execute(sql)) << sql;
}

TEST_F(SqliteLedgerTest, FindsAnAuditEntryOrManifestThatWasChangedBehindItsBack) {
  ASSERT_TRUE(add(*open(), 1));
  {
    const auto raw = sqlite::Database::open(file).value();
    ASSERT_TRUE(
        raw.execute("DROP TRIGGER audit_refuse_UPDATE; UPDATE audit SET actor = 'mallory';"
                    "DROP TRIGGER versions_refuse_UPDATE; UPDATE versions SET manifest = '{}'"));
  }
  auto ledger = open();
  EXPECT_EQ(audit::verify(ledger->read(1, 10).value()).error().code, ErrorCode::kIntegrity);
  EXPECT_EQ(ledger->version(registry::VersionRef::parse("m@1.1.0").value()).error().code, ErrorCode::kIntegrity);
}

TEST_F(SqliteLedgerTest, AFullDiskRefusesTheWriteAndLeavesNothingOfIt) {
  // A file size limit makes the kernel refuse growth as a full disk does.
  std::size_t stored = 0;
  const pid_t child = fork();
  if (child == 0) {
    auto ledger = open();
    if (!add(*ledger, 0)) _exit(1);
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{fs::file_size(file) + 64 * 1024, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 1;; ++i) {
      const auto added = add(*ledger, i, std::string(16 * 1024, 'x'));
      if (!added) _exit(ledger->versions("m")->size() == static_cast<std::size_t>(i) ? 0 : 2);
    }
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  auto ledger = open();
  stored = ledger->versions("m")->size();
  EXPECT_GE(stored, 1u);
  EXPECT_EQ(ledger->read(1, 1000)->size(), stored);
  EXPECT_TRUE(audit::verify(ledger->read(1, 1000).value()));
  check_tree(*ledger);
  EXPECT_TRUE(add(*ledger, 1000));
}

TEST_F(SqliteLedgerTest, TwoProcessesRegisterAtOnceWithoutLosingOrMixing) {
  open();
  constexpr int kEach = 25;
  pid_t children[2];
  for (int process = 0; process < 2; ++process) {
    children[process] = fork();
    if (children[process] == 0) {
      auto ledger = open();
      for (int i = 0; i < kEach; ++i) {
        if (!add(*ledger, process * 1000 + i)) _exit(1);
      }
      _exit(0);
    }
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  auto ledger = open();
  const auto versions = ledger->versions("m").value();
  ASSERT_EQ(versions.size(), 2u * kEach);
  std::set<std::uint64_t> ordinals;
  for (const auto& version : versions) ordinals.insert(version.ordinal);
  EXPECT_EQ(ordinals.size(), 2u * kEach);
  EXPECT_TRUE(audit::verify(ledger->read(1, 1000).value()));
  check_tree(*ledger);
}

TEST_F(SqliteLedgerTest, KillingTheProcessAtAnyMomentLosesNothingThatWasAcknowledged) {
  Random random(7);
  int acknowledged = 0;
  for (int round = 0; round < 25; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const auto wanted = static_cast<int>(random.below(6));
    const itimerval then{{0, 0}, {0, static_cast<suseconds_t>(1 + random.below(3000))}};
    const pid_t child = fork();
    if (child == 0) {
      close(pipe_ends[0]);
      auto ledger = open();
      for (int i = acknowledged;; ++i) {
        // SIGALRM, which nobody handles, ends the process somewhere inside of the next transactions.
        if (i == acknowledged + wanted && setitimer(ITIMER_REAL, &then, nullptr) != 0) _exit(1);
        if (!add(*ledger, i, std::string(5000, 'y'))) _exit(1);
        if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
      }
    }
    close(pipe_ends[1]);
    char byte = 0;
    int seen = 0;
    while (read(pipe_ends[0], &byte, 1) == 1) ++seen;
    close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
    ASSERT_GE(seen, wanted);

    auto ledger = open();
    const auto stored = static_cast<int>(ledger->versions("m")->size());
    ASSERT_GE(stored, acknowledged + seen);
    ASSERT_LE(stored, acknowledged + seen + 1);
    const auto entries = ledger->read(1, 10000).value();
    ASSERT_EQ(static_cast<int>(entries.size()), stored);
    ASSERT_TRUE(audit::verify(entries));
    check_tree(*ledger);
    acknowledged = stored;
  }
  EXPECT_GT(acknowledged, 10);
}

TEST_F(SqliteLedgerTest, ABatchIsThereWholeOrNotAtAllHoweverItsProcessEnds) {
  Random random(11);
  constexpr std::size_t kBatch = 50;
  std::size_t acknowledged = 0;
  for (int round = 0; round < 15; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(pipe_ends[0]);
      auto ledger = open();
      const std::vector<audit::Draft> drafts(kBatch, {"alice", "note", "batch", std::string(500, 'z'), "{}"});
      while (ledger->append_batch(drafts)) {
        if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
      }
      _exit(1);
    }
    close(pipe_ends[1]);
    char byte = 0;
    std::size_t seen = 0;
    for (const std::uint64_t wanted = 1 + random.below(4); seen < wanted && read(pipe_ends[0], &byte, 1) == 1;) ++seen;
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (read(pipe_ends[0], &byte, 1) == 1) ++seen;
    close(pipe_ends[0]);

    auto ledger = open();
    const auto stored = static_cast<std::size_t>(ledger->size().value());
    EXPECT_EQ(stored % kBatch, 0u);
    ASSERT_GE(stored, acknowledged + seen * kBatch);
    check_tree(*ledger);
    acknowledged = stored;
  }
}

}  // namespace
}  // namespace backstay
