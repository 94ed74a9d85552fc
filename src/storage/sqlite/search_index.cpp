#include "storage/sqlite/search_index.hpp"

#include <fmt/format.h>

#include "domain/search/facts.hpp"
#include "wire/manifest_json.hpp"
#include "wire/scorecard_json.hpp"

namespace backstay::sqlite {

namespace {

// Each index ends in the version's id without naming it, so equal entries are in the order of registering.
constexpr const char* kTables = R"sql(
CREATE TABLE search_versions(
  version_id INTEGER PRIMARY KEY REFERENCES versions(id),
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  version_key TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  stage TEXT NOT NULL,
  created INTEGER NOT NULL,
  registered_by TEXT NOT NULL,
  complete INTEGER NOT NULL,
  identity BLOB NOT NULL) STRICT;
CREATE INDEX search_by_model ON search_versions(model);
CREATE INDEX search_by_model_version ON search_versions(model, version_key);
CREATE INDEX search_by_version ON search_versions(version_key);
CREATE INDEX search_by_stage ON search_versions(stage);
CREATE INDEX search_by_created ON search_versions(created);
CREATE INDEX search_by_registrar ON search_versions(registered_by);
CREATE INDEX search_by_identity ON search_versions(identity);
CREATE INDEX search_incomplete ON search_versions(complete) WHERE complete = 0;
CREATE TABLE attributes(
  version_id INTEGER NOT NULL REFERENCES versions(id),
  key TEXT NOT NULL,
  text TEXT NOT NULL,
  number REAL,
  PRIMARY KEY(version_id, key, text)) STRICT, WITHOUT ROWID;
CREATE INDEX attributes_by_text ON attributes(key, text, version_id);
CREATE INDEX attributes_by_number ON attributes(key, number, version_id) WHERE number IS NOT NULL;
CREATE TABLE metrics(
  version_id INTEGER NOT NULL REFERENCES versions(id),
  name TEXT NOT NULL,
  grp TEXT NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY(version_id, name, grp)) STRICT, WITHOUT ROWID;
CREATE INDEX metrics_by_value ON metrics(name, grp, value, version_id);
CREATE TABLE newest_verdicts(
  version_id INTEGER NOT NULL REFERENCES versions(id),
  gate TEXT NOT NULL,
  verdict TEXT NOT NULL,
  PRIMARY KEY(version_id, gate)) STRICT, WITHOUT ROWID;
CREATE INDEX newest_verdicts_by_gate ON newest_verdicts(gate, verdict, version_id);
CREATE VIRTUAL TABLE changelogs USING fts5(
  changelog, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');
)sql";

// Names are looked up where they are; the rest follows the records.
constexpr const char* kFollow = R"sql(
CREATE INDEX aliases_by_name ON aliases(name, version_id);
CREATE INDEX aliases_of ON aliases(version_id);
CREATE TRIGGER search_first_stage AFTER INSERT ON stages BEGIN
  UPDATE search_versions SET stage = new.stage WHERE version_id = new.version_id; END;
CREATE TRIGGER search_stage AFTER UPDATE OF stage ON stages BEGIN
  UPDATE search_versions SET stage = new.stage WHERE version_id = new.version_id; END;
CREATE TRIGGER search_verdict AFTER INSERT ON verdicts BEGIN
  INSERT INTO newest_verdicts VALUES(new.version_id, new.gate, new.verdict)
    ON CONFLICT(version_id, gate) DO UPDATE SET verdict = excluded.verdict; END;
CREATE TRIGGER search_scan AFTER INSERT ON scans BEGIN
  DELETE FROM attributes WHERE version_id = new.version_id AND key = 'scan';
  INSERT INTO attributes VALUES(new.version_id, 'scan', new.verdict, NULL); END;
)sql";

/// Of scorecards some say the same.
Result<void> index_fact(const Database& index, std::int64_t version, const search::Fact& fact) {
  Statement insert = index.prepare(fact.number ? "INSERT OR IGNORE INTO attributes VALUES(?, ?, ?, ?)"
                                               : "INSERT OR IGNORE INTO attributes VALUES(?, ?, ?, NULL)");
  insert.bind(version, fact.key, fact.text);
  if (fact.number) insert.bind(*fact.number);
  return insert.run();
}

Result<void> index_versions(const Database& records, const Database& index) {
  Statement select = records.prepare(
      "SELECT v.id, v.model, v.version, v.ordinal, v.identity, v.manifest, s.stage, v.complete, v.registered_at, "
      "v.registered_by FROM versions v JOIN stages s ON s.version_id = v.id ORDER BY v.id");
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return {};
    auto number = registry::SemanticVersion::parse(select.text(2));
    if (!number) continue;  // Someone changed it: fsck tells.
    const StoredVersion version{{select.text(1), std::move(*number)},
                                static_cast<std::uint64_t>(select.integer(3)),
                                select.digest(4),
                                select.text(5),
                                select.text(6),
                                select.integer(7) != 0,
                                select.timestamp(8),
                                select.text(9)};
    const auto manifest = wire::manifest_from_json("a stored manifest", version.manifest_json);
    TRY_DO(index_version(index, select.integer(0), version, manifest ? &*manifest : nullptr));
  }
}

Result<void> index_scorecards(const Database& records, const Database& index) {
  Statement select = records.prepare("SELECT version_id, scorecard FROM scorecards ORDER BY id");
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return {};
    const auto document = wire::Document::from_json("a stored scorecard", select.text(1));
    if (!document) continue;
    const auto scorecard = wire::stored_scorecard_from(*document);
    if (scorecard) TRY_DO(index_scorecard(index, select.integer(0), *scorecard));
  }
}

Result<void> index_verdicts(const Database& records, const Database& index) {
  Statement select = records.prepare("SELECT version_id, gate, verdict FROM verdicts ORDER BY id");
  Statement put = index.prepare(
      "INSERT INTO newest_verdicts VALUES(?, ?, ?) ON CONFLICT(version_id, gate) DO UPDATE SET verdict = "
      "excluded.verdict");
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return {};
    TRY_DO(put.reset().bind(select.integer(0), select.text(1), select.text(2)).run());
  }
}

Result<void> index_scans(const Database& records, const Database& index) {
  Statement select = records.prepare(
      "SELECT version_id, verdict FROM scans s WHERE id = (SELECT MAX(id) FROM scans o WHERE o.version_id = "
      "s.version_id)");
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return {};
    TRY_DO(index_fact(index, select.integer(0), {search::kScanKey, select.text(1), {}}));
  }
}

}  // namespace

Result<void> fill_search_index(const Database& records, const Database& index) {
  TRY_DO(index.execute(kTables));
  TRY_DO(index_versions(records, index));
  TRY_DO(index_scorecards(records, index));
  TRY_DO(index_scans(records, index));
  return index_verdicts(records, index);
}

Result<void> create_search_index(const Database& database) {
  TRY_DO(fill_search_index(database, database));
  return database.execute(kFollow);
}

Result<void> rebuild_search_index(const Database& database) {
  for (const char* trigger : {"search_first_stage", "search_stage", "search_verdict", "search_scan"})
    TRY_DO(database.execute(fmt::format("DROP TRIGGER IF EXISTS main.{}", trigger).c_str()));
  for (const char* index : {"aliases_by_name", "aliases_of"})
    TRY_DO(database.execute(fmt::format("DROP INDEX IF EXISTS main.{}", index).c_str()));
  for (const char* table : {"search_versions", "attributes", "metrics", "newest_verdicts", "changelogs"})
    TRY_DO(database.execute(fmt::format("DROP TABLE IF EXISTS main.{}", table).c_str()));
  return create_search_index(database);
}

Result<void> index_version(const Database& database, std::int64_t id, const StoredVersion& version,
                           const registry::Manifest* manifest) {
  Statement row = database.prepare("INSERT INTO search_versions VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.bind(id, version.ref.model, version.ref.version.str(), search::version_key(version.ref.version), version.ordinal,
           version.stage, version.registered_at, version.registered_by, version.complete, version.identity);
  TRY_DO(row.run());
  if (manifest == nullptr) return {};
  for (const search::Fact& fact : search::facts_of(*manifest)) TRY_DO(index_fact(database, id, fact));
  if (manifest->changelog.empty()) return {};
  Statement words = database.prepare("INSERT INTO changelogs(rowid, changelog) VALUES(?, ?)");
  return words.bind(id, manifest->changelog).run();
}

Result<void> index_scorecard(const Database& database, std::int64_t version, const registry::Scorecard& scorecard) {
  for (const registry::Metric& metric : scorecard.metrics) {
    Statement put = database.prepare(
        "INSERT INTO metrics VALUES(?, ?, ?, ?) ON CONFLICT(version_id, name, grp) DO UPDATE SET value = "
        "excluded.value");
    TRY_DO(put.bind(version, metric.name, metric.group, metric.value).run());
  }
  for (const search::Fact& fact : search::facts_of(scorecard)) TRY_DO(index_fact(database, version, fact));
  return {};
}

}  // namespace backstay::sqlite
