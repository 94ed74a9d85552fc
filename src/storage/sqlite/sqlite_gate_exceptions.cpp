#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"
#include "storage/sqlite/sqlite_ledger.hpp"

/// Signed exceptions from gates.
namespace backstay {

using sqlite::Statement;
using sqlite::Transaction;

Result<GateException> SqliteLedger::add_gate_exception(const registry::VersionRef& ref, const GateException& exception,
                                                       const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  GateException stored = exception;
  stored.at = impl_->clock.now();
  TRY(Transaction transaction, Transaction::begin(impl_->database));
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(impl_->database));
  Statement insert = impl_->database.prepare(
      "INSERT INTO gate_exceptions(version_id, gate_sha256, envelope, reason, signed_by, at, expires, audit_sequence) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(version, stored.gate_sha256, stored.envelope, stored.reason, stored.signed_by, stored.at, stored.expires,
              sequence);
  TRY_DO(insert.run());
  stored.id = impl_->database.last_insert_id();
  TRY_DO(sqlite::append_sealed(impl_->database, stored.at, draft));
  TRY_DO(transaction.commit());
  return stored;
}

Result<std::vector<GateException>> SqliteLedger::gate_exceptions(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement select = impl_->database.prepare(
      "SELECT id, gate_sha256, envelope, reason, signed_by, at, expires FROM gate_exceptions WHERE version_id = ? "
      "ORDER BY id DESC");
  select.bind(version);
  std::vector<GateException> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    found.push_back({select.integer(0), select.digest(1), select.text(2), select.text(3), select.text(4),
                     select.timestamp(5), select.timestamp(6)});
  }
}

}  // namespace backstay
