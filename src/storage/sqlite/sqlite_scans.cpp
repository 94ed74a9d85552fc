#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"
#include "wire/scan_json.hpp"

/// Scans of artifacts.
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

}  // namespace backstay
