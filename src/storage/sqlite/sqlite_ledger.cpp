#include "storage/sqlite/sqlite_ledger.hpp"

#include <fmt/format.h>

#include "domain/search/facts.hpp"
#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/search_index.hpp"
#include "wire/manifest_json.hpp"
#include "wire/rollout_json.hpp"
#include "wire/scorecard_json.hpp"

namespace backstay {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

SqliteLedger::SqliteLedger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteLedger::~SqliteLedger() = default;

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::open(const std::filesystem::path& path, const Clock& clock) {
  TRY(Database database, Database::open(path));
  if (auto migrated = sqlite::migrate(database); !migrated)
    return Unexpected(std::move(migrated).error().within(path.string()));
  return std::unique_ptr<SqliteLedger>(
      new SqliteLedger(std::unique_ptr<Impl>(new Impl{std::move(database), clock, {}, {}})));
}

// --- versions ---

namespace {

Result<StoredVersion> load_version(const Database& database, const registry::VersionRef& ref) {
  Statement select =
      database.prepare(fmt::format("SELECT {} WHERE v.model = ? AND v.version = ?", sqlite::kVersionColumns));
  TRY(const bool there, select.bind(ref.model, ref.version.str()).step());
  if (there) return sqlite::read_version_row(select);
  auto found = sqlite::find_version(database, ref);
  if (!found) return Unexpected(std::move(found).error());
  return Unexpected(ErrorCode::kIntegrity, fmt::format("{} has no stage.", ref.str()),
                    "Someone changed the registry's file: run backstay fsck.");
}

Result<std::optional<Digest>> identity_of(const Database& database, const registry::VersionRef& ref) {
  Statement select = database.prepare("SELECT identity FROM versions WHERE model = ? AND version = ?");
  select.bind(ref.model, ref.version.str());
  TRY(const bool found, select.step());
  if (!found) return std::optional<Digest>();
  return std::optional(select.digest(0));
}

/// The row that was inserted just now, indexed. Services store canonical manifests only; what is none is found by less.
Result<StoredVersion> inserted_version(const Database& database, std::int64_t id,
                                       const VersionStore::NewVersion& version, const Digest& identity, Timestamp now) {
  Statement ordinal = database.prepare("SELECT ordinal FROM versions WHERE id = ?");
  TRY_DO(ordinal.bind(id).step());
  StoredVersion stored{version.ref, static_cast<std::uint64_t>(ordinal.integer(0)),
                       identity,    version.manifest_json,
                       "Staging",   version.complete,
                       now,         version.actor};
  const auto manifest = wire::manifest_from_json("a manifest", version.manifest_json);
  TRY_DO(sqlite::index_version(database, id, stored, manifest ? &*manifest : nullptr));
  if (manifest) TRY_DO(sqlite::index_lineage(database, id, *manifest));
  return stored;
}

}  // namespace

Result<VersionStore::Registered> SqliteLedger::add_version(const NewVersion& version, const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  const Digest identity = sha256(version.manifest_json);
  TRY(Transaction transaction, Transaction::begin(database));
  TRY(const std::optional<Digest> existing, identity_of(database, version.ref));
  if (existing && *existing != identity)
    return Unexpected(ErrorCode::kConflict,
                      fmt::format("{} is registered already with other content (registered {}, now {}).",
                                  version.ref.str(), existing->hex(), identity.hex()),
                      "A version is never overwritten: give the new content a new version number.");
  if (existing) {
    TRY(StoredVersion stored, load_version(database, version.ref));
    return Registered{std::move(stored), false};
  }
  const Timestamp now = impl_->clock.now();
  Statement insert = database.prepare(
      "INSERT INTO versions(model, version, ordinal, identity, manifest, complete, registered_at, registered_by, "
      "audit_sequence) VALUES(?1, ?2, (SELECT COALESCE(MAX(ordinal), 0) + 1 FROM versions WHERE model = ?1), ?3, ?4, "
      "?5, ?6, ?7, ?8)");
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(database));
  insert.bind(version.ref.model, version.ref.version.str(), identity, version.manifest_json, version.complete, now,
              version.actor, sequence);
  TRY_DO(insert.run());
  const std::int64_t id = database.last_insert_id();
  TRY(StoredVersion stored, inserted_version(database, id, version, identity, now));
  if (version.scan) TRY_DO(sqlite::insert_scan(database, id, now, *version.scan, sequence));
  TRY_DO(sqlite::move_stage(database, version.ref, stored.stage, sequence));
  TRY_DO(sqlite::append_sealed(database, now, draft));
  TRY_DO(transaction.commit());
  return Registered{std::move(stored), true};
}

Result<StoredVersion> SqliteLedger::version(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  return load_version(impl_->database, ref);
}

Result<std::vector<StoredVersion>> SqliteLedger::versions(const std::string& model) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(
      fmt::format("SELECT {} WHERE ?1 = '' OR v.model = ?1 ORDER BY v.id DESC", sqlite::kVersionColumns));
  select.bind(model);
  std::vector<StoredVersion> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    TRY(StoredVersion stored, sqlite::read_version_row(select));
    found.push_back(std::move(stored));
  }
}

Result<std::optional<registry::SemanticVersion>> SqliteLedger::greatest(
    const std::string& model, const std::optional<registry::SemanticVersion>& most) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(
      most
          ? "SELECT version FROM search_versions WHERE model = ? AND version_key <= ? ORDER BY version_key DESC LIMIT 1"
          : "SELECT version FROM search_versions WHERE model = ? ORDER BY version_key DESC LIMIT 1");
  select.bind(model);
  if (most) select.bind(search::version_key(*most));
  TRY(const bool there, select.step());
  if (!there) return std::optional<registry::SemanticVersion>();
  TRY(registry::SemanticVersion version, registry::SemanticVersion::parse(select.text(0)));
  return std::optional(std::move(version));
}

Result<registry::StoredScorecard> SqliteLedger::add_scorecard(const registry::VersionRef& ref,
                                                              const registry::Scorecard& scorecard,
                                                              const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  const Timestamp now = impl_->clock.now();
  TRY(Transaction transaction, Transaction::begin(impl_->database));
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement insert =
      impl_->database.prepare("INSERT INTO scorecards(version_id, scorecard, at, audit_sequence) VALUES(?, ?, ?, ?)");
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(impl_->database));
  TRY_DO(insert.bind(version, wire::to_json(scorecard), now, sequence).run());
  registry::StoredScorecard stored{impl_->database.last_insert_id(), scorecard, now, sequence};
  TRY_DO(sqlite::index_scorecard(impl_->database, version, scorecard));
  TRY_DO(sqlite::append_sealed(impl_->database, now, draft));
  TRY_DO(transaction.commit());
  return stored;
}

Result<std::vector<registry::StoredScorecard>> SqliteLedger::scorecards(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement select = impl_->database.prepare(
      "SELECT id, scorecard, at, audit_sequence FROM scorecards WHERE version_id = ? ORDER BY id");
  select.bind(version);
  std::vector<registry::StoredScorecard> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    TRY(const wire::Document document, wire::Document::from_json("a stored scorecard", select.text(1)));
    TRY(registry::Scorecard scorecard, wire::stored_scorecard_from(document));
    found.push_back(
        {select.integer(0), std::move(scorecard), select.timestamp(2), static_cast<std::uint64_t>(select.integer(3))});
  }
}

Result<StoredVerdict> SqliteLedger::add_verdict(const registry::VersionRef& ref, const StoredVerdict& verdict,
                                                const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  StoredVerdict stored = verdict;
  stored.at = impl_->clock.now();
  TRY(Transaction transaction, Transaction::begin(impl_->database));
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement insert = impl_->database.prepare(
      "INSERT INTO verdicts(version_id, gate, gate_digest, verdict, evidence, at, decided_by, audit_sequence) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(impl_->database));
  insert.bind(version, stored.gate, stored.gate_digest, stored.verdict, stored.evidence, stored.at, stored.decided_by,
              sequence);
  TRY_DO(insert.run());
  stored.id = impl_->database.last_insert_id();
  stored.sequence = sequence;
  TRY_DO(sqlite::append_sealed(impl_->database, stored.at, draft));
  TRY_DO(transaction.commit());
  return stored;
}

Result<std::vector<StoredVerdict>> SqliteLedger::verdicts(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement select = impl_->database.prepare(
      "SELECT id, gate, gate_digest, verdict, evidence, at, decided_by, audit_sequence FROM verdicts WHERE version_id "
      "= "
      "? ORDER BY id DESC");
  select.bind(version);
  std::vector<StoredVerdict> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    found.push_back({select.integer(0), select.text(1), select.digest(2), select.text(3), select.text(4),
                     select.timestamp(5), select.text(6), static_cast<std::uint64_t>(select.integer(7))});
  }
}

// --- rollouts ---

namespace {

Result<void> put_endpoint(const Database& database, const EndpointRecord& record) {
  Statement put = database.prepare(
      "INSERT INTO endpoints VALUES(?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET model = excluded.model, "
      "stable = excluded.stable, standby = excluded.standby");
  return put.bind(record.endpoint, record.model, record.stable, record.standby).run();
}

/// False: this revision is stored already.
Result<bool> put_state(const Database& database, const rollout::State& state, const std::string& model) {
  const std::string json = wire::to_json(state);
  Statement select = database.prepare("SELECT revision, state FROM rollouts WHERE id = ?");
  select.bind(state.id);
  TRY(const bool found, select.step());
  const std::uint64_t stored = found ? static_cast<std::uint64_t>(select.integer(0)) : 0;
  if (found && stored == state.revision && select.text(1) == json) return false;
  if (stored + 1 != state.revision)
    return Unexpected(
        ErrorCode::kConflict,
        fmt::format("Rollout {} is at revision {}; revision {} does not follow.", state.id, stored, state.revision),
        "Someone else changed it: look at its status and try again.");
  if (!found) {
    Statement active = database.prepare("SELECT id FROM rollouts WHERE endpoint = ? AND final = 0");
    active.bind(state.endpoint);
    TRY(const bool busy, active.step());
    if (busy)
      return Unexpected(ErrorCode::kConflict,
                        fmt::format("Endpoint '{}' has a rollout under way: {}.", state.endpoint, active.text(0)),
                        "Wait for it, or take it back with backstay rollback.");
  }
  Statement put = database.prepare(
      "INSERT INTO rollouts(id, endpoint, number, revision, final, state, model) VALUES(?1, ?2, (SELECT "
      "COALESCE(MAX(number), 0) + 1 FROM rollouts WHERE endpoint = ?2), ?3, ?4, ?5, ?6) ON CONFLICT(id) DO UPDATE SET "
      "revision = ?3, final = ?4, state = ?5");
  TRY_DO(put.bind(state.id, state.endpoint, state.revision, rollout::is_final(state.phase), json, model).run());
  return true;
}

Result<std::vector<rollout::State>> read_states(Statement& select) {
  std::vector<rollout::State> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    TRY(rollout::State state, wire::rollout_from_json(select.text(0)));
    found.push_back(std::move(state));
  }
}

}  // namespace

namespace {

/// Whether the version that leaves one endpoint is what another serves.
Result<bool> serves_elsewhere(const Database& database, const std::string& endpoint, const std::string& model,
                              const std::string& version) {
  Statement find = database.prepare("SELECT 1 FROM endpoints WHERE model = ? AND stable = ? AND name <> ?");
  return find.bind(model, version, endpoint).step();
}

/// The notes as audit entries; what moves with them is sealed in the last.
Result<void> append_notes(const Database& database, Timestamp now, const std::string& model,
                          const rollout::Transition& transition) {
  const auto draft = [&](const rollout::Note& note) {
    return audit::Draft{note.actor, note.action, "endpoint " + transition.state.endpoint, note.reason, note.evidence};
  };
  const std::vector<rollout::Note>& notes = transition.notes;
  for (std::size_t i = 0; i + 1 < notes.size(); ++i) TRY_DO(sqlite::append_audit(database, now, draft(notes[i])));
  if (notes.empty()) return {};
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(database));
  for (const rollout::StageMove& move : transition.stage_moves) {
    TRY(const bool serves, serves_elsewhere(database, transition.state.endpoint, model, move.version));
    if (serves && move.stage == "Archived") continue;
    TRY(registry::SemanticVersion version, registry::SemanticVersion::parse(move.version));
    TRY_DO(sqlite::move_stage(database, {model, std::move(version)}, move.stage, sequence));
  }
  TRY_DO(sqlite::record_traffic(database, transition.state, model, sequence));
  TRY_DO(sqlite::append_sealed(database, now, draft(notes.back())));
  return {};
}

}  // namespace

Result<void> SqliteLedger::commit(const rollout::Transition& transition, const std::string& model,
                                  std::optional<std::uint64_t> log_size) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  const rollout::State& state = transition.state;
  const Timestamp now = impl_->clock.now();
  TRY(Transaction transaction, Transaction::begin(database));
  TRY(const bool fresh, put_state(database, state, model));
  if (!fresh) return {};
  if (log_size) {
    TRY(const std::uint64_t next, sqlite::next_audit_sequence(database));
    if (next != *log_size + 1)
      return Unexpected(ErrorCode::kConflict,
                        fmt::format("The registry changed while {} was checked: its log had {} entries and has {}.",
                                    state.id, *log_size, next - 1),
                        "Try again.");
  }
  TRY_DO(append_notes(database, now, model, transition));
  if (state.phase == rollout::Phase::kDone) TRY_DO(put_endpoint(database, endpoint_after(state, model)));
  return transaction.commit();
}

Result<std::vector<rollout::State>> SqliteLedger::active_rollouts() const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare("SELECT state FROM rollouts WHERE final = 0 ORDER BY endpoint");
  return read_states(select);
}

Result<std::vector<rollout::State>> SqliteLedger::rollouts(const std::string& endpoint, std::size_t limit) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select =
      impl_->database.prepare("SELECT state FROM rollouts WHERE endpoint = ? ORDER BY number DESC LIMIT ?");
  select.bind(endpoint, static_cast<std::uint64_t>(limit));
  return read_states(select);
}

Result<std::optional<EndpointRecord>> SqliteLedger::endpoint(const std::string& name) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare("SELECT name, model, stable, standby FROM endpoints WHERE name = ?");
  select.bind(name);
  TRY(const bool found, select.step());
  if (!found) return std::optional<EndpointRecord>();
  return std::optional(EndpointRecord{select.text(0), select.text(1), select.text(2), select.text(3)});
}

Result<std::vector<EndpointRecord>> SqliteLedger::endpoints() const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(
      "SELECT name, model, stable, standby FROM endpoints UNION ALL SELECT endpoint, model, '', '' FROM rollouts WHERE "
      "final = 0 AND endpoint NOT IN (SELECT name FROM endpoints) ORDER BY 1");
  std::vector<EndpointRecord> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    found.push_back({select.text(0), select.text(1), select.text(2), select.text(3)});
  }
}

Result<std::uint64_t> SqliteLedger::next_rollout_number(const std::string& endpoint) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare("SELECT COALESCE(MAX(number), 0) + 1 FROM rollouts WHERE endpoint = ?");
  select.bind(endpoint);
  TRY_DO(select.step());
  return static_cast<std::uint64_t>(select.integer(0));
}

}  // namespace backstay
