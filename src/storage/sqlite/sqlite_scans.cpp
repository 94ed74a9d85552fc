#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"
#include "wire/scan_json.hpp"

/// Scans of artifacts and exceptions from them.
namespace backstay {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

Result<std::int64_t> sqlite::insert_scan(const Database& database, std::int64_t version_id, Timestamp now,
                                         const StoredScan& scan, std::uint64_t audit_sequence) {
  Statement insert = database.prepare(
      "INSERT INTO scans(version_id, scanner, verdict, findings, at, scanned_by, audit_sequence) VALUES(?, ?, ?, ?, ?, "
      "?, ?)");
  insert.bind(version_id, scan.scanner, scan::to_string(scan.report.verdict), wire::to_json(scan.report), now, scan.by,
              audit_sequence);
  TRY_DO(insert.run());
  return database.last_insert_id();
}

Result<StoredScan> SqliteLedger::add_scan(const registry::VersionRef& ref, const StoredScan& scan,
                                          const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  StoredScan stored = scan;
  stored.at = impl_->clock.now();
  TRY(Transaction transaction, Transaction::begin(impl_->database));
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(impl_->database));
  TRY(stored.id, sqlite::insert_scan(impl_->database, version, stored.at, scan, sequence));
  TRY_DO(sqlite::append_sealed(impl_->database, stored.at, draft));
  TRY_DO(transaction.commit());
  return stored;
}

Result<std::vector<StoredScan>> SqliteLedger::scans(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement select = impl_->database.prepare(
      "SELECT id, scanner, findings, at, scanned_by FROM scans WHERE version_id = ? ORDER BY id DESC");
  select.bind(version);
  std::vector<StoredScan> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    TRY(scan::Report report, wire::scan_report_from(select.text(2)));
    found.push_back({select.integer(0), select.text(1), std::move(report), select.timestamp(3), select.text(4)});
  }
}

Result<ScanException> SqliteLedger::add_scan_exception(const registry::VersionRef& ref, const ScanException& exception,
                                                       milliseconds valid, const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  ScanException stored = exception;
  stored.at = impl_->clock.now();
  stored.expires = stored.at + valid;
  TRY(Transaction transaction, Transaction::begin(database));
  TRY(const std::int64_t version, sqlite::find_version(database, ref));
  Statement select = database.prepare("SELECT identity FROM versions WHERE id = ?");
  select.bind(version);
  TRY_DO(select.step());
  stored.identity = select.digest(0);
  Statement insert = database.prepare(
      "INSERT INTO scan_exceptions(version_id, identity, findings, reason, signed_by, at, expires, audit_sequence) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(database));
  insert.bind(version, stored.identity, stored.findings, stored.reason, stored.signed_by, stored.at, stored.expires,
              sequence);
  TRY_DO(insert.run());
  stored.id = database.last_insert_id();
  TRY_DO(sqlite::append_sealed(database, stored.at, draft));
  TRY_DO(transaction.commit());
  return stored;
}

Result<std::vector<ScanException>> SqliteLedger::scan_exceptions(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement select = impl_->database.prepare(
      "SELECT id, identity, findings, reason, signed_by, at, expires FROM scan_exceptions WHERE version_id = ? "
      "ORDER BY id DESC");
  select.bind(version);
  std::vector<ScanException> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    found.push_back({select.integer(0), select.digest(1), select.digest(2), select.text(3), select.text(4),
                     select.timestamp(5), select.timestamp(6)});
  }
}

Result<std::optional<ScanException>> SqliteLedger::scan_exception_in_force(const registry::VersionRef& ref,
                                                                           const Digest& findings) const {
  TRY(const std::vector<ScanException> all, scan_exceptions(ref));
  for (const ScanException& exception : all) {
    if (exception.findings == findings && exception.expires > impl_->clock.now()) return std::optional(exception);
  }
  return std::optional<ScanException>();
}

}  // namespace backstay
