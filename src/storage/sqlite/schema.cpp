#include "storage/sqlite/schema.hpp"

#include <fmt/format.h>

#include <iterator>

#include "storage/sqlite/audit_tree.hpp"
#include "storage/sqlite/records.hpp"
#include "storage/sqlite/search_index.hpp"

namespace backstay::sqlite {

namespace {

constexpr std::int64_t kApplicationId = 0x42535459;  // "BSTY"

// What was recorded is refused a change by the database itself; only stages, endpoints and rollouts move.
constexpr const char* kFirst = R"sql(
CREATE TABLE versions(
  id INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  identity BLOB NOT NULL CHECK(length(identity) = 32),
  manifest TEXT NOT NULL,
  complete INTEGER NOT NULL,
  registered_at INTEGER NOT NULL,
  registered_by TEXT NOT NULL,
  UNIQUE(model, version),
  UNIQUE(model, ordinal)) STRICT;
CREATE TABLE stages(
  version_id INTEGER PRIMARY KEY REFERENCES versions(id),
  stage TEXT NOT NULL CHECK(stage IN ('Staging', 'Production', 'Archived'))) STRICT;
CREATE TABLE stage_history(
  id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL REFERENCES versions(id),
  stage TEXT NOT NULL,
  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;
CREATE TABLE scorecards(
  id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL REFERENCES versions(id),
  scorecard TEXT NOT NULL,
  at INTEGER NOT NULL) STRICT;
CREATE INDEX scorecards_of ON scorecards(version_id);
CREATE TABLE verdicts(
  id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL REFERENCES versions(id),
  gate TEXT NOT NULL,
  gate_digest BLOB NOT NULL CHECK(length(gate_digest) = 32),
  verdict TEXT NOT NULL CHECK(verdict IN ('PASS', 'FAIL', 'INSUFFICIENT')),
  evidence TEXT NOT NULL,
  at INTEGER NOT NULL,
  decided_by TEXT NOT NULL) STRICT;
CREATE INDEX verdicts_of ON verdicts(version_id);
CREATE TABLE endpoints(
  name TEXT PRIMARY KEY,
  model TEXT NOT NULL,
  stable TEXT NOT NULL,
  standby TEXT NOT NULL) STRICT;
CREATE TABLE rollouts(
  id TEXT PRIMARY KEY,
  endpoint TEXT NOT NULL,
  number INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  final INTEGER NOT NULL,
  state TEXT NOT NULL,
  UNIQUE(endpoint, number)) STRICT;
CREATE UNIQUE INDEX one_active_rollout ON rollouts(endpoint) WHERE final = 0;
CREATE TABLE audit(
  sequence INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason TEXT NOT NULL,
  evidence TEXT NOT NULL,
  previous BLOB NOT NULL CHECK(length(previous) = 32),
  hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;
)sql";

Result<void> refuse_changes(const Database& database, std::initializer_list<const char*> tables) {
  for (const char* table : tables) {
    for (const char* change : {"UPDATE", "DELETE"}) {
      const std::string sql = fmt::format(
          "CREATE TRIGGER {0}_refuse_{1} BEFORE {1} ON {0} BEGIN SELECT RAISE(ABORT, '{0} are never changed'); END;",
          table, change);
      TRY_DO(database.execute(sql.c_str()));
    }
  }
  return {};
}

Result<void> make_immutable(const Database& database) {
  TRY_DO(refuse_changes(database, {"versions", "stage_history", "scorecards", "verdicts", "audit"}));
  return database.execute(
      "CREATE TRIGGER rollouts_refuse_DELETE BEFORE DELETE ON rollouts "
      "BEGIN SELECT RAISE(ABORT, 'rollouts are never forgotten'); END;");
}

Result<void> first(const Database& database) {
  TRY_DO(database.execute(kFirst));
  return make_immutable(database);
}

// Aliases, where traffic went, what infrastructure is live, and what versions were made from.
constexpr const char* kReleases = R"sql(
CREATE TABLE aliases(
  model TEXT NOT NULL,
  name TEXT NOT NULL,
  version_id INTEGER NOT NULL REFERENCES versions(id),
  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence),
  PRIMARY KEY(model, name)) STRICT;
CREATE TABLE alias_history(
  id INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  name TEXT NOT NULL,
  version_id INTEGER REFERENCES versions(id),
  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;
CREATE TABLE infrastructure(
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  version TEXT NOT NULL,
  schema_sha256 TEXT NOT NULL,
  removed INTEGER NOT NULL) STRICT;
CREATE TABLE infrastructure_history(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  version TEXT NOT NULL,
  schema_sha256 TEXT NOT NULL,
  removed INTEGER NOT NULL,
  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;
CREATE TABLE version_data(
  version_id INTEGER NOT NULL REFERENCES versions(id),
  data_set TEXT NOT NULL,
  slice TEXT NOT NULL,
  sha256 BLOB NOT NULL CHECK(length(sha256) = 32)) STRICT;
CREATE INDEX version_data_of ON version_data(version_id);
CREATE INDEX version_data_by_slice ON version_data(slice, data_set);
CREATE INDEX version_data_by_set ON version_data(data_set);
CREATE INDEX version_data_by_digest ON version_data(sha256);
CREATE TABLE version_code(
  version_id INTEGER PRIMARY KEY REFERENCES versions(id),
  commit_id TEXT NOT NULL) STRICT;
CREATE INDEX version_code_by_commit ON version_code(commit_id);
CREATE TABLE version_parents(
  version_id INTEGER NOT NULL REFERENCES versions(id),
  model TEXT NOT NULL,
  version TEXT NOT NULL) STRICT;
CREATE INDEX version_parents_of ON version_parents(version_id);
CREATE INDEX version_children ON version_parents(model, version);
CREATE TABLE servings(
  number INTEGER PRIMARY KEY,
  endpoint TEXT NOT NULL,
  version_id INTEGER NOT NULL REFERENCES versions(id),
  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence),
  UNIQUE(endpoint, version_id)) STRICT;
CREATE TABLE traffic(
  id INTEGER PRIMARY KEY,
  endpoint TEXT NOT NULL,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  role TEXT NOT NULL,
  share_ppm INTEGER NOT NULL,
  rollout TEXT NOT NULL,
  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;
CREATE INDEX traffic_of_endpoint ON traffic(endpoint, audit_sequence);
CREATE INDEX traffic_of_version ON traffic(model, version);
CREATE TABLE quarantines(
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  blocked INTEGER NOT NULL,
  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;
CREATE INDEX quarantines_of ON quarantines(kind, subject);
ALTER TABLE rollouts ADD COLUMN model TEXT NOT NULL DEFAULT '';
UPDATE rollouts SET model = COALESCE((SELECT model FROM endpoints WHERE name = rollouts.endpoint), '');
CREATE INDEX rollouts_of_model ON rollouts(model);
CREATE INDEX audit_by_subject ON audit(subject);
ALTER TABLE versions ADD COLUMN audit_sequence INTEGER REFERENCES audit(sequence);
ALTER TABLE scorecards ADD COLUMN audit_sequence INTEGER REFERENCES audit(sequence);
ALTER TABLE verdicts ADD COLUMN audit_sequence INTEGER REFERENCES audit(sequence);
CREATE INDEX versions_by_entry ON versions(audit_sequence);
CREATE INDEX scorecards_by_entry ON scorecards(audit_sequence);
CREATE INDEX verdicts_by_entry ON verdicts(audit_sequence);
CREATE INDEX stage_history_by_entry ON stage_history(audit_sequence);
CREATE INDEX alias_history_by_entry ON alias_history(audit_sequence);
CREATE INDEX infrastructure_history_by_entry ON infrastructure_history(audit_sequence);
CREATE INDEX servings_by_entry ON servings(audit_sequence);
CREATE INDEX traffic_by_entry ON traffic(audit_sequence);
CREATE INDEX quarantines_by_entry ON quarantines(audit_sequence);
)sql";

Result<void> releases(const Database& database) {
  TRY_DO(database.execute(kReleases));
  TRY_DO(refuse_changes(database, {"alias_history", "infrastructure_history", "version_data", "version_code",
                                   "version_parents", "servings", "traffic", "quarantines"}));
  Statement versions = database.prepare("SELECT id, manifest FROM versions");
  while (true) {
    TRY(const bool more, versions.step());
    if (!more) return {};
    TRY_DO(index_lineage(database, versions.integer(0), versions.text(1)));
  }
}

// A proof of an entry needs the hashes beside it, not the whole log.
Result<void> audit_tree(const Database& database) {
  TRY_DO(
      database.execute("CREATE TABLE audit_tree("
                       "  sequence INTEGER PRIMARY KEY,"
                       "  nodes BLOB NOT NULL CHECK(length(nodes) >= 32 AND length(nodes) % 32 = 0)) STRICT;"));
  TRY_DO(build_tree(database));
  return refuse_changes(database, {"audit_tree"});
}

Result<void> signatures(const Database& database) {
  TRY_DO(
      database.execute("CREATE TABLE signatures("
                       "  id INTEGER PRIMARY KEY,"
                       "  version_id INTEGER NOT NULL REFERENCES versions(id),"
                       "  bundle TEXT NOT NULL,"
                       "  signer TEXT NOT NULL,"
                       "  at INTEGER NOT NULL,"
                       "  signed_by TEXT NOT NULL,"
                       "  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;"
                       "CREATE INDEX signatures_of ON signatures(version_id);"
                       "CREATE INDEX signatures_by_entry ON signatures(audit_sequence);"));
  return refuse_changes(database, {"signatures"});
}

// Scans of artifacts, and who answers for a version that a scan calls dangerous.
constexpr const char* kScans = R"sql(
CREATE TABLE scans(
  id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL REFERENCES versions(id),
  scanner TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK(verdict IN ('safe', 'suspicious', 'dangerous')),
  findings TEXT NOT NULL,
  at INTEGER NOT NULL,
  scanned_by TEXT NOT NULL,
  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;
CREATE INDEX scans_of ON scans(version_id);
CREATE INDEX scans_by_entry ON scans(audit_sequence);
CREATE TABLE scan_exceptions(
  id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL REFERENCES versions(id),
  identity BLOB NOT NULL CHECK(length(identity) = 32),
  findings BLOB NOT NULL CHECK(length(findings) = 32),
  reason TEXT NOT NULL CHECK(reason <> ''),
  signed_by TEXT NOT NULL,
  at INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  audit_sequence INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;
CREATE INDEX scan_exceptions_of ON scan_exceptions(version_id);
CREATE INDEX scan_exceptions_by_entry ON scan_exceptions(audit_sequence);
)sql";

Result<void> scans(const Database& database) {
  TRY_DO(database.execute(kScans));
  return refuse_changes(database, {"scans", "scan_exceptions"});
}

Result<void> add_answers(const Database& database) {
  return database.execute(
      "CREATE TABLE answers(key TEXT PRIMARY KEY, request BLOB NOT NULL, status INTEGER NOT NULL, content_type TEXT "
      "NOT "
      "NULL, body TEXT NOT NULL, at INTEGER NOT NULL) STRICT; CREATE INDEX answers_by_age ON answers(at);");
}

Result<void> notifications(const Database& database) {
  return database.execute(
      "CREATE TABLE told(target TEXT PRIMARY KEY, sequence INTEGER NOT NULL, trouble TEXT NOT NULL) STRICT;"
      "CREATE TABLE dead_letters(target TEXT NOT NULL, sequence INTEGER NOT NULL, why TEXT NOT NULL, at INTEGER NOT "
      "NULL, due INTEGER NOT NULL, PRIMARY KEY(target, sequence)) STRICT;");
}

Result<void> gate_exceptions(const Database& database) {
  TRY_DO(database.execute(
      "CREATE TABLE gate_exceptions(id INTEGER PRIMARY KEY, version_id INTEGER NOT NULL REFERENCES versions(id), "
      "gate_sha256 BLOB NOT NULL CHECK(length(gate_sha256) = 32), envelope TEXT NOT NULL, reason TEXT NOT NULL "
      "CHECK(reason <> ''), signed_by TEXT NOT NULL, at INTEGER NOT NULL, expires INTEGER NOT NULL, audit_sequence "
      "INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;"
      "CREATE INDEX gate_exceptions_of ON gate_exceptions(version_id);"
      "CREATE INDEX gate_exceptions_by_entry ON gate_exceptions(audit_sequence);"));
  return refuse_changes(database, {"gate_exceptions"});
}

// Exceptions from scans have signatures now. Those of scan_exceptions have none, and are kept as history.
Result<void> signed_scan_exceptions(const Database& database) {
  TRY_DO(database.execute(
      "CREATE TABLE signed_scan_exceptions(id INTEGER PRIMARY KEY, version_id INTEGER NOT NULL REFERENCES "
      "versions(id), findings BLOB NOT NULL CHECK(length(findings) = 32), envelope TEXT NOT NULL, reason TEXT NOT NULL "
      "CHECK(reason <> ''), signed_by TEXT NOT NULL, at INTEGER NOT NULL, expires INTEGER NOT NULL, audit_sequence "
      "INTEGER NOT NULL REFERENCES audit(sequence)) STRICT;"
      "CREATE INDEX signed_scan_exceptions_of ON signed_scan_exceptions(version_id);"
      "CREATE INDEX signed_scan_exceptions_by_entry ON signed_scan_exceptions(audit_sequence);"));
  return refuse_changes(database, {"signed_scan_exceptions"});
}

// Rows of before have none: they are forgotten within a day.
Result<void> seal_answers(const Database& database) {
  return database.execute("ALTER TABLE answers ADD COLUMN sha256 BLOB CHECK(length(sha256) = 32)");
}

/// INSERT OR REPLACE would delete a row without asking the triggers that refuse that. `also`: what a row conflicts by
/// beside its number, one condition for each index that leads to it. Not of the audit log, which would take a sixth
/// longer: its entries hash one another and lie under signed checkpoints, so a replaced one is found.
Result<void> refuse_replacing(const Database& database, const char* table,
                              std::initializer_list<const char*> also = {}) {
  std::string taken = fmt::format("EXISTS (SELECT 1 FROM {} WHERE rowid = NEW.rowid)", table);
  for (const char* condition : also) taken += fmt::format(" OR EXISTS (SELECT 1 FROM {} WHERE {})", table, condition);
  return database.execute(fmt::format("CREATE TRIGGER {0}_refuse_REPLACE BEFORE INSERT ON {0} WHEN {1} BEGIN SELECT "
                                      "RAISE(ABORT, '{0} are never changed'); END;",
                                      table, taken)
                              .c_str());
}

Result<void> refuse_replacing(const Database& database) {
  TRY_DO(
      refuse_replacing(database, "versions",
                       {"model = NEW.model AND version = NEW.version", "model = NEW.model AND ordinal = NEW.ordinal"}));
  TRY_DO(refuse_replacing(database, "servings", {"endpoint = NEW.endpoint AND version_id = NEW.version_id"}));
  for (const char* table : {"stage_history", "scorecards", "verdicts", "signatures", "scans", "scan_exceptions",
                            "gate_exceptions", "signed_scan_exceptions", "alias_history", "infrastructure_history",
                            "version_data", "version_code", "version_parents", "traffic", "quarantines"})
    TRY_DO(refuse_replacing(database, table));
  return {};
}

// `trouble` says why the last try failed; there is trouble when tries > 0.
Result<void> notification_targets(const Database& database) {
  return database.execute(
      "ALTER TABLE told ADD COLUMN events TEXT NOT NULL DEFAULT '';"
      "ALTER TABLE told ADD COLUMN served INTEGER NOT NULL DEFAULT 1;"
      "ALTER TABLE told ADD COLUMN trouble_sequence INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE told ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE told ADD COLUMN since INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE told ADD COLUMN next_try INTEGER NOT NULL DEFAULT 0;");
}

using Migration = Result<void> (*)(const Database&);
constexpr Migration kMigrations[] = {
    first,
    releases,
    audit_tree,
    signatures,
    scans,
    create_search_index,
    add_answers,
    notifications,
    rebuild_search_index,
    gate_exceptions,
    signed_scan_exceptions,
    seal_answers,
    refuse_replacing,
    rebuild_search_index,
    notification_targets,
};

Result<std::int64_t> pragma(const Database& database, const char* name) {
  Statement statement = database.prepare(fmt::format("PRAGMA {}", name));
  TRY_DO(statement.step());
  return statement.integer(0);
}

}  // namespace

Result<void> migrate(const Database& database) {
  const auto current = static_cast<std::int64_t>(std::size(kMigrations));
  TRY(std::int64_t version, pragma(database, "user_version"));
  TRY(const std::int64_t application, pragma(database, "application_id"));
  if (version == current && application == kApplicationId) return {};

  TRY(Transaction transaction, Transaction::begin(database));
  TRY(version, pragma(database, "user_version"));  // Another process may have been first.
  TRY(const std::int64_t tables, pragma(database, "schema_version"));
  TRY(const std::int64_t owner, pragma(database, "application_id"));
  if (owner != kApplicationId && tables != 0)
    return Unexpected(ErrorCode::kIntegrity, "The file is a database of another program, not a Backstay registry.",
                      "Give another --data-dir.");
  if (version > current)
    return Unexpected(
        ErrorCode::kUnsupported,
        fmt::format("The registry was written by a newer Backstay (schema {}; this program knows up to {}).", version,
                    current),
        "Use the newer program; nothing was changed.");
  for (; version < current; ++version) TRY_DO(kMigrations[version](database));
  TRY_DO(database.execute(
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplicationId, current).c_str()));
  return transaction.commit();
}

}  // namespace backstay::sqlite
