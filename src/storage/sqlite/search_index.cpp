#include "storage/sqlite/search_index.hpp"

#include "domain/search/facts.hpp"
#include "storage/sqlite/records.hpp"
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
CREATE TRIGGER search_first_stage AFTER INSERT ON stages BEGIN
  UPDATE search_versions SET stage = new.stage WHERE version_id = new.version_id; END;
CREATE TRIGGER search_stage AFTER UPDATE OF stage ON stages BEGIN
  UPDATE search_versions SET stage = new.stage WHERE version_id = new.version_id; END;
CREATE TRIGGER search_verdict AFTER INSERT ON verdicts BEGIN
  INSERT INTO newest_verdicts VALUES(new.version_id, new.gate, new.verdict)
    ON CONFLICT(version_id, gate) DO UPDATE SET verdict = excluded.verdict; END;
)sql";

Result<void> index_versions(const Database& database) {
  Statement select = database.prepare(std::string("SELECT ") + kVersionColumns + " ORDER BY v.id");
  Statement ids = database.prepare("SELECT v.id FROM versions v JOIN stages s ON s.version_id = v.id ORDER BY v.id");
  while (true) {
    TRY(const bool more, select.step());
    TRY_DO(ids.step());
    if (!more) return {};
    TRY(const StoredVersion version, read_version_row(select));
    TRY_DO(index_version(database, ids.integer(0), version));
  }
}

Result<void> index_scorecards(const Database& database) {
  Statement select = database.prepare("SELECT version_id, scorecard FROM scorecards ORDER BY id");
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return {};
    TRY(const wire::Document document, wire::Document::from_json("a stored scorecard", select.text(1)));
    TRY(const registry::Scorecard scorecard, wire::scorecard_from(document));
    TRY_DO(index_scorecard(database, select.integer(0), scorecard));
  }
}

}  // namespace

Result<void> create_search_index(const Database& database) {
  TRY_DO(database.execute(kTables));
  TRY_DO(index_versions(database));
  TRY_DO(index_scorecards(database));
  return database.execute(
      "INSERT INTO newest_verdicts SELECT version_id, gate, verdict FROM verdicts WHERE true ORDER BY id "
      "ON CONFLICT(version_id, gate) DO UPDATE SET verdict = excluded.verdict");
}

Result<void> index_version(const Database& database, std::int64_t id, const StoredVersion& version) {
  Statement row = database.prepare("INSERT INTO search_versions VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.bind(id, version.ref.model, version.ref.version.str(), search::version_key(version.ref.version), version.ordinal,
           version.stage, version.registered_at, version.registered_by, version.complete, version.identity);
  TRY_DO(row.run());
  // Services store canonical manifests only; of what is none, there is nothing more to find.
  const auto manifest = wire::manifest_from_json(version.ref.str(), version.manifest_json);
  if (!manifest) return {};
  for (const search::Fact& fact : search::facts_of(*manifest)) {
    Statement insert = database.prepare(fact.number ? "INSERT INTO attributes VALUES(?, ?, ?, ?)"
                                                    : "INSERT INTO attributes VALUES(?, ?, ?, NULL)");
    insert.bind(id, fact.key, fact.text);
    if (fact.number) insert.bind(*fact.number);
    TRY_DO(insert.run());
  }
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
  return {};
}

}  // namespace backstay::sqlite
