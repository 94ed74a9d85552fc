#include <fmt/format.h>

#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"

/// Signed exceptions from gates and from scans.
namespace backstay {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

namespace {

/// One row with its audit entry, which seals it; -> its id. `about`: the gate's or the findings' digest.
template <class Exception>
Result<std::int64_t> insert(const Database& database, const char* table, const char* about_column, const Digest& about,
                            const registry::VersionRef& ref, const Exception& exception, const audit::Draft& draft) {
  TRY(Transaction transaction, Transaction::begin(database));
  TRY(const std::int64_t version, sqlite::find_version(database, ref));
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(database));
  Statement insert = database.prepare(
      fmt::format("INSERT INTO {}(version_id, {}, envelope, reason, signed_by, at, expires, audit_sequence) "
                  "VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                  table, about_column));
  insert.bind(version, about, exception.envelope, exception.reason, exception.signed_by, exception.at,
              exception.expires, sequence);
  TRY_DO(insert.run());
  const std::int64_t id = database.last_insert_id();
  TRY_DO(sqlite::append_sealed(database, exception.at, draft));
  TRY_DO(transaction.commit());
  return id;
}

/// The rows of a SELECT of id, about, envelope, reason, signed_by, at, expires.
template <class Exception>
Result<std::vector<Exception>> read_all(Statement select) {
  std::vector<Exception> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    found.push_back({select.integer(0), select.digest(1), select.text(2), select.text(3), select.text(4),
                     select.timestamp(5), select.timestamp(6)});
  }
}

}  // namespace

Result<GateException> SqliteLedger::add_gate_exception(const registry::VersionRef& ref, const GateException& exception,
                                                       const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  GateException stored = exception;
  stored.at = impl_->clock.now();
  TRY(stored.id, insert(impl_->database, "gate_exceptions", "gate_sha256", stored.gate_sha256, ref, stored, draft));
  return stored;
}

Result<std::vector<GateException>> SqliteLedger::gate_exceptions(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement select = impl_->database.prepare(
      "SELECT id, gate_sha256, envelope, reason, signed_by, at, expires FROM gate_exceptions WHERE version_id = ? "
      "ORDER BY id DESC");
  select.bind(version);
  return read_all<GateException>(std::move(select));
}

Result<ScanException> SqliteLedger::add_scan_exception(const registry::VersionRef& ref, const ScanException& exception,
                                                       const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  ScanException stored = exception;
  stored.at = impl_->clock.now();
  TRY(stored.id, insert(impl_->database, "signed_scan_exceptions", "findings", stored.findings, ref, stored, draft));
  return stored;
}

Result<std::vector<ScanException>> SqliteLedger::scan_exceptions(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement select = impl_->database.prepare(
      "SELECT id, findings, envelope, reason, signed_by, at, expires FROM (SELECT 1 AS is_signed, * FROM "
      "signed_scan_exceptions WHERE version_id = ?1 UNION ALL SELECT 0, id, version_id, findings, '', reason, "
      "signed_by, at, expires, audit_sequence FROM scan_exceptions WHERE version_id = ?1) ORDER BY is_signed DESC, id "
      "DESC");
  select.bind(version);
  return read_all<ScanException>(std::move(select));
}

}  // namespace backstay
