#include "storage/sqlite/records.hpp"

#include <fmt/format.h>

#include "storage/sqlite/audit_tree.hpp"
#include "storage/sqlite/row_seal.hpp"

namespace backstay::sqlite {

Result<audit::Entry> append_audit(const Database& database, Timestamp now, const audit::Draft& draft) {
  TRY(AuditAppender appender, AuditAppender::begin(database));
  TRY_DO(appender.append(now, draft));
  return appender.last();
}

Result<std::uint64_t> next_audit_sequence(const Database& database) {
  Statement select = database.prepare("SELECT COALESCE(MAX(sequence), 0) + 1 FROM audit");
  TRY_DO(select.step());
  return static_cast<std::uint64_t>(select.integer(0));
}

Result<audit::Entry> append_sealed(const Database& database, Timestamp now, audit::Draft draft) {
  TRY(const std::uint64_t sequence, next_audit_sequence(database));
  TRY(const RowSeal seal, RowSealer(database).of(sequence));
  if (!seal.empty()) draft.evidence = with_seal(draft.evidence, seal);
  return append_audit(database, now, draft);
}

audit::Entry read_audit_row(const Statement& row) {
  audit::Entry entry;
  entry.sequence = static_cast<std::uint64_t>(row.integer(0));
  entry.at = row.timestamp(1);
  entry.draft = {row.text(2), row.text(3), row.text(4), row.text(5), row.text(6)};
  entry.previous = row.digest(7);
  entry.hash = row.digest(8);
  return entry;
}

Result<std::int64_t> find_version(const Database& database, const registry::VersionRef& ref) {
  Statement find = database.prepare("SELECT id FROM versions WHERE model = ? AND version = ?");
  find.bind(ref.model, ref.version.str());
  TRY(const bool found, find.step());
  if (found) return find.integer(0);
  Statement others = database.prepare("SELECT version FROM versions WHERE model = ? ORDER BY ordinal DESC LIMIT 5");
  others.bind(ref.model);
  std::string names;
  while (true) {
    TRY(const bool more, others.step());
    if (!more) break;
    names += (names.empty() ? "" : ", ") + others.text(0);
  }
  return Unexpected(ErrorCode::kNotFound, fmt::format("There is no version {}.", ref.str()),
                    names.empty() ? fmt::format("No version of '{}' is registered; see backstay list.", ref.model)
                                  : fmt::format("The newest versions of {} are: {}.", ref.model, names));
}

Result<StoredVersion> read_version_row(const Statement& row) {
  StoredVersion stored;
  TRY(stored.ref.version, registry::SemanticVersion::parse(row.text(1)));
  stored.ref.model = row.text(0);
  stored.ordinal = static_cast<std::uint64_t>(row.integer(2));
  stored.identity = row.digest(3);
  stored.manifest_json = row.text(4);
  stored.stage = row.text(5);
  stored.complete = row.integer(6) != 0;
  stored.registered_at = row.timestamp(7);
  stored.registered_by = row.text(8);
  if (sha256(stored.manifest_json) != stored.identity)
    return Unexpected(ErrorCode::kIntegrity,
                      fmt::format("The stored manifest of {} is not what was registered.", stored.ref.str()),
                      "Someone changed the registry's file: keep it as evidence and restore a backup.");
  return stored;
}

Result<void> move_stage(const Database& database, const registry::VersionRef& ref, const std::string& stage,
                        std::uint64_t audit_sequence) {
  TRY(const std::int64_t id, find_version(database, ref));
  Statement set =
      database.prepare("INSERT INTO stages VALUES(?, ?) ON CONFLICT(version_id) DO UPDATE SET stage = excluded.stage");
  TRY_DO(set.bind(id, stage).run());
  Statement history = database.prepare("INSERT INTO stage_history(version_id, stage, audit_sequence) VALUES(?, ?, ?)");
  return history.bind(id, stage, audit_sequence).run();
}

}  // namespace backstay::sqlite
