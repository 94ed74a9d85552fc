#include <fmt/format.h>

#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"

/// Stages, aliases, history and infrastructure.
namespace backstay {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

Result<void> SqliteLedger::move_stage(const registry::VersionRef& ref, const std::string& expected,
                                      const std::string& stage, const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  TRY(Transaction transaction, Transaction::begin(database));
  TRY(const std::int64_t id, sqlite::find_version(database, ref));
  Statement now = database.prepare("SELECT stage FROM stages WHERE version_id = ?");
  now.bind(id);
  TRY_DO(now.step());
  if (now.text(0) != expected)
    return Unexpected(ErrorCode::kConflict, fmt::format("{} is in stage {}, not {}.", ref.str(), now.text(0), expected),
                      "Someone else moved it: look at backstay log and decide again.");
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(database));
  TRY_DO(sqlite::move_stage(database, ref, stage, sequence));
  TRY_DO(sqlite::append_sealed(database, impl_->clock.now(), draft));
  return transaction.commit();
}

namespace {

Result<std::optional<std::string>> aliased(const Database& database, const std::string& model,
                                           const std::string& name) {
  Statement select = database.prepare(
      "SELECT v.version FROM aliases a JOIN versions v ON v.id = a.version_id WHERE a.model = ? AND a.name = ?");
  select.bind(model, name);
  TRY(const bool found, select.step());
  return found ? std::optional(select.text(0)) : std::nullopt;
}

Result<void> put_alias(const Database& database, const std::string& model, const std::string& name,
                       std::int64_t version_id, std::uint64_t audit_sequence) {
  Statement put = database.prepare(
      "INSERT INTO aliases VALUES(?, ?, ?, ?) ON CONFLICT(model, name) DO UPDATE SET version_id = "
      "excluded.version_id, audit_sequence = excluded.audit_sequence");
  TRY_DO(put.bind(model, name, version_id, audit_sequence).run());
  Statement history =
      database.prepare("INSERT INTO alias_history(model, name, version_id, audit_sequence) VALUES(?, ?, ?, ?)");
  return history.bind(model, name, version_id, audit_sequence).run();
}

Result<void> remove_alias(const Database& database, const std::string& model, const std::string& name,
                          std::uint64_t audit_sequence) {
  Statement remove = database.prepare("DELETE FROM aliases WHERE model = ? AND name = ?");
  TRY_DO(remove.bind(model, name).run());
  Statement history =
      database.prepare("INSERT INTO alias_history(model, name, version_id, audit_sequence) VALUES(?, ?, NULL, ?)");
  return history.bind(model, name, audit_sequence).run();
}

std::string where(const std::optional<std::string>& version) {
  return version ? "points to " + *version : "does not exist";
}

}  // namespace

Result<void> SqliteLedger::set_alias(const std::string& model, const std::string& name,
                                     const std::optional<registry::SemanticVersion>& version,
                                     const std::optional<registry::SemanticVersion>& expected,
                                     const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  TRY(Transaction transaction, Transaction::begin(database));
  TRY(const std::optional<std::string> now, aliased(database, model, name));
  const std::optional<std::string> wanted = expected ? std::optional(expected->str()) : std::nullopt;
  if (now != wanted)
    return Unexpected(
        ErrorCode::kConflict,
        fmt::format("The alias '{}' of {} {}; it was expected that it {}.", name, model, where(now), where(wanted)),
        "Someone else moved it: look at backstay alias list and decide again.");
  std::int64_t id = 0;
  if (version) {
    TRY(id, sqlite::find_version(database, {model, *version}));
  }
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(database));
  TRY_DO(version ? put_alias(database, model, name, id, sequence) : remove_alias(database, model, name, sequence));
  TRY_DO(sqlite::append_sealed(database, impl_->clock.now(), draft));
  return transaction.commit();
}

Result<std::vector<Alias>> SqliteLedger::aliases(const std::string& model) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(
      "SELECT a.name, v.version, e.at, e.actor FROM aliases a JOIN versions v ON v.id = a.version_id JOIN audit e ON "
      "e.sequence = a.audit_sequence WHERE a.model = ? ORDER BY a.name");
  select.bind(model);
  std::vector<Alias> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    TRY(registry::SemanticVersion version, registry::SemanticVersion::parse(select.text(1)));
    found.push_back({select.text(0), {model, std::move(version)}, select.timestamp(2), select.text(3)});
  }
}

Result<std::vector<audit::Entry>> SqliteLedger::history(const std::string& model) const {
  const std::lock_guard lock(impl_->mutex);
  // '@' is followed by 'A': between them is every "model@...".
  Statement select = impl_->database.prepare(
      "SELECT * FROM audit WHERE (subject >= ?1 || '@' AND subject < ?1 || 'A') OR subject IN (SELECT DISTINCT "
      "'endpoint ' || endpoint FROM rollouts WHERE model = ?1) ORDER BY sequence");
  select.bind(model);
  std::vector<audit::Entry> entries;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return entries;
    entries.push_back(sqlite::read_audit_row(select));
  }
}

Result<void> SqliteLedger::declare(const std::vector<registry::Infrastructure>& items, const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  TRY(Transaction transaction, Transaction::begin(database));
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(database));
  for (const registry::Infrastructure& item : items) {
    Statement put = database.prepare(
        "INSERT INTO infrastructure VALUES(?, ?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET kind = excluded.kind, "
        "version = excluded.version, schema_sha256 = excluded.schema_sha256, removed = excluded.removed");
    TRY_DO(put.bind(item.name, item.kind, item.version, item.schema_sha256, item.removed).run());
    Statement history = database.prepare(
        "INSERT INTO infrastructure_history(name, kind, version, schema_sha256, removed, audit_sequence) "
        "VALUES(?, ?, ?, ?, ?, ?)");
    history.bind(item.name, item.kind, item.version, item.schema_sha256, item.removed, sequence);
    TRY_DO(history.run());
  }
  TRY_DO(sqlite::append_sealed(database, impl_->clock.now(), draft));
  return transaction.commit();
}

Result<std::vector<registry::Infrastructure>> SqliteLedger::infrastructure() const {
  const std::lock_guard lock(impl_->mutex);
  Statement select =
      impl_->database.prepare("SELECT name, kind, version, schema_sha256, removed FROM infrastructure ORDER BY name");
  std::vector<registry::Infrastructure> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    found.push_back({select.text(0), select.text(1), select.text(2), select.text(3), select.integer(4) != 0});
  }
}

}  // namespace backstay
