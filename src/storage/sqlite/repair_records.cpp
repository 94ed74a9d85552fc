#include <fmt/format.h>

#include <filesystem>

#include "storage/sqlite/check_records.hpp"
#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"
#include "storage/sqlite/row_seal.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/search_index.hpp"
#include "wire/rollout_json.hpp"

namespace backstay {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

namespace {

constexpr std::string_view kRefusal = "trigger ";
constexpr std::string_view kRefusesUpdate = "_refuse_UPDATE";

Result<std::vector<std::string>> texts(Statement select) {
  std::vector<std::string> out;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return out;
    out.push_back(select.text(0));
  }
}

Result<std::int64_t> number(Statement select) {
  TRY_DO(select.step());
  return select.integer(0);
}

Unexpected refused(const std::string& why, const std::string& hint) {
  return Unexpected(ErrorCode::kIntegrity, why, hint);
}

/// Makes the attached database "copy" part of this one, in a transaction of the caller's.
class Repair {
 public:
  Repair(const Database& database, std::map<std::string, std::string> schema)
      : database_(database), schema_(std::move(schema)) {}

  Result<void> run() {
    TRY(const std::int64_t beyond, number(database_.prepare("SELECT COUNT(*) FROM copy.audit WHERE sequence > (SELECT "
                                                            "COALESCE(MAX(sequence), 0) FROM main.audit)")));
    lost_ = beyond > 0;
    TRY_DO(drop_triggers());
    for (const auto& [name, definition] : schema_) {
      const bool append_only = name.starts_with(kRefusal) && name.ends_with(kRefusesUpdate);
      if (append_only)
        TRY_DO(restore(name.substr(kRefusal.size(), name.size() - kRefusal.size() - kRefusesUpdate.size())));
    }
    TRY_DO(remove_forged());
    // A finished rollout never changes again, so the copy's is right; one that is under way is the server's.
    TRY_DO(database_.execute("INSERT OR REPLACE INTO main.rollouts SELECT * FROM copy.rollouts WHERE final = 1"));
    // Unless entries were lost here, with all that came with them: then nobody knows better than the copy.
    if (lost_)
      TRY_DO(database_.execute("INSERT OR IGNORE INTO main.rollouts SELECT * FROM copy.rollouts WHERE final = 0"));
    TRY_DO(database_.execute("DELETE FROM main.answers"));  // A day's memory; the copy's is of another day.
    TRY_DO(derive());
    TRY_DO(derive_endpoints());
    return restore_schema();
  }

 private:
  Result<void> drop_triggers() {
    TRY(const auto names, texts(database_.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'trigger'")));
    for (const std::string& name : names)
      TRY_DO(database_.execute(fmt::format("DROP TRIGGER main.\"{}\"", name).c_str()));
    return {};
  }

  /// Rows only ever follow one another, so up to the copy's last one both must be the same.
  Result<void> restore(const std::string& table) {
    TRY(const auto columns,
        texts(database_.prepare(fmt::format("SELECT '\"' || name || '\"' FROM pragma_table_info('{}')", table))));
    const std::string all = fmt::format("rowid, {}", fmt::join(columns, ", "));
    TRY_DO(database_.execute(
        fmt::format("DELETE FROM main.\"{0}\" WHERE rowid <= (SELECT MAX(rowid) FROM copy.\"{0}\") AND "
                    "rowid NOT IN (SELECT rowid FROM copy.\"{0}\")",
                    table)
            .c_str()));
    return database_.execute(
        fmt::format("INSERT OR REPLACE INTO main.\"{0}\"({1}) SELECT {1} FROM copy.\"{0}\" EXCEPT SELECT "
                    "{1} FROM main.\"{0}\"",
                    table, all)
            .c_str());
  }

  /// What says that it came with an entry that the copy has, or with none, would be in the copy.
  Result<void> remove_forged() {
    for (const sqlite::SealedTable& table : sqlite::kSealedTables)
      TRY_DO(database_.execute(
          fmt::format(
              "DELETE FROM main.{0} WHERE rowid NOT IN (SELECT rowid FROM copy.{0}) AND (audit_sequence IS NULL "
              "OR audit_sequence <= (SELECT MAX(sequence) FROM copy.audit))",
              table.name)
              .c_str()));
    return {};
  }

  /// What is current follows from the history, and what versions are found by from their records.
  Result<void> derive() {
    TRY_DO(database_.execute("DELETE FROM version_data; DELETE FROM version_code; DELETE FROM version_parents"));
    Statement versions = database_.prepare("SELECT id, manifest FROM versions");
    while (true) {
      TRY(const bool more, versions.step());
      if (!more) break;
      TRY_DO(sqlite::index_lineage(database_, versions.integer(0), versions.text(1)));
    }
    TRY_DO(database_.execute(R"sql(
DELETE FROM stages;
INSERT INTO stages SELECT version_id, stage FROM stage_history h
  WHERE id = (SELECT MAX(id) FROM stage_history WHERE version_id = h.version_id);
DELETE FROM aliases;
INSERT INTO aliases SELECT model, name, version_id, audit_sequence FROM alias_history h
  WHERE version_id IS NOT NULL AND id = (SELECT MAX(id) FROM alias_history WHERE model = h.model AND name = h.name);
DELETE FROM infrastructure;
INSERT INTO infrastructure SELECT name, kind, version, schema_sha256, removed FROM infrastructure_history h
  WHERE id = (SELECT MAX(id) FROM infrastructure_history WHERE name = h.name);
)sql"));
    return sqlite::rebuild_search_index(database_);
  }

  Result<void> derive_endpoints() {
    Statement newest = database_.prepare(
        "SELECT r.state, COALESCE(NULLIF(r.model, ''), e.model, '') FROM rollouts r LEFT JOIN endpoints e ON e.name = "
        "r.endpoint WHERE r.final = 1 AND json_valid(r.state) AND json_extract(r.state, '$.phase') = 'done' AND "
        "r.number "
        "= (SELECT MAX(number) FROM rollouts o WHERE o.endpoint = r.endpoint AND json_valid(o.state) AND "
        "json_extract(o.state, '$.phase') = 'done')");
    std::vector<EndpointRecord> records;
    while (true) {
      TRY(const bool more, newest.step());
      if (!more) break;
      TRY(const rollout::State state, wire::rollout_from_json(newest.text(0)));
      records.push_back(endpoint_after(state, newest.text(1)));
    }
    for (const EndpointRecord& record : records) {
      Statement put = database_.prepare("INSERT OR REPLACE INTO endpoints VALUES(?, ?, ?, ?)");
      TRY_DO(put.bind(record.endpoint, record.model, record.stable, record.standby).run());
    }
    return {};
  }

  Result<void> restore_schema() {
    TRY(const auto here, sqlite::schema_objects(database_));
    for (const auto& [name, definition] : schema_)
      if (!definition.empty() && here.count(name) == 0) TRY_DO(database_.execute(definition.c_str()));
    return {};
  }

  const Database& database_;
  const std::map<std::string, std::string> schema_;
  bool lost_ = false;
};

Result<void> check_copy(const std::string& copy) {
  TRY(const Database other, Database::open_read_only(copy));
  TRY(const Database fresh, Database::open(":memory:"));
  TRY_DO(sqlite::migrate(fresh));
  TRY(const std::int64_t version, number(other.prepare("PRAGMA user_version")));
  TRY(const std::int64_t current, number(fresh.prepare("PRAGMA user_version")));
  if (version != current)
    return refused(fmt::format("{} has schema {}, this program {}.", copy, version, current),
                   "Open it with this program once, so that it is brought up to date.");
  TRY(const std::vector<RecordProblem> problems, sqlite::check_records(other));
  if (problems.empty()) return {};
  return refused(
      fmt::format("{} is damaged itself: {} {}: {}", copy, problems[0].table, problems[0].row, problems[0].what),
      "Give another backup; nothing was changed.");
}

/// Both have entries in common, or there are none here.
Result<void> check_same_registry(const Database& database, const std::string& copy) {
  TRY(const std::int64_t entries, number(database.prepare("SELECT COUNT(*) FROM main.audit")));
  TRY(const std::int64_t common,
      number(database.prepare(
          "SELECT COUNT(*) FROM main.audit m JOIN copy.audit c ON c.sequence = m.sequence AND c.hash = m.hash")));
  if (entries == 0 || common > 0) return {};
  return refused(fmt::format("{} is a copy of another registry.", copy),
                 "Give a backup of this one; nothing was changed.");
}

Result<void> repair_attached(const Database& database, const std::string& copy, const Clock& clock,
                             const std::string& actor) {
  TRY(const Database fresh, Database::open(":memory:"));
  TRY_DO(sqlite::migrate(fresh));
  TRY(auto schema, sqlite::schema_objects(fresh));
  TRY_DO(check_same_registry(database, copy));
  TRY(Transaction transaction, Transaction::begin(database));
  TRY_DO(Repair(database, std::move(schema)).run());
  TRY_DO(sqlite::append_audit(database, clock.now(),
                              {actor, "registry.repair", "registry", "Records were restored from a copy.", "{}"}));
  TRY(const std::vector<RecordProblem> left, sqlite::check_records(database));
  if (!left.empty())
    return refused(
        fmt::format("The copy does not repair everything: {} {}: {}", left[0].table, left[0].row, left[0].what),
        "Nothing was changed. Keep this file as evidence, and restore a newer backup beside it.");
  return transaction.commit();
}

}  // namespace

Result<std::uint64_t> SqliteLedger::missing_beside(const std::string& copy) const {
  TRY(const Database other, Database::open_read_only(copy));
  TRY(const std::int64_t there, number(other.prepare("SELECT COALESCE(MAX(sequence), 0) FROM audit")));
  const std::lock_guard lock(impl_->mutex);
  TRY(const std::int64_t here, number(impl_->database.prepare("SELECT COALESCE(MAX(sequence), 0) FROM audit")));
  return static_cast<std::uint64_t>(std::max<std::int64_t>(there - here, 0));
}

Result<void> SqliteLedger::repair_records(const std::string& copy, const std::string& actor) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(copy, ignored))
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no registry {}.", copy),
                      "Give the data directory of a backup.");
  TRY_DO(check_copy(copy));
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  TRY_DO(database.attach_read_only(copy, "copy"));
  // Rows come table by table; the check looks at all of them.
  Statement unchecked = database.prepare_once("PRAGMA foreign_keys = OFF");
  TRY_DO(unchecked.run());
  auto repaired = repair_attached(database, copy, impl_->clock, actor);
  TRY_DO(database.execute("PRAGMA foreign_keys = ON; DETACH copy"));
  return repaired;
}

}  // namespace backstay
