#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"

/// The ledger's signatures of versions.
namespace backstay {

using sqlite::Statement;
using sqlite::Transaction;

Result<StoredSignature> SqliteLedger::add_signature(const registry::VersionRef& ref, const StoredSignature& signature,
                                                    const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  StoredSignature stored = signature;
  stored.at = impl_->clock.now();
  TRY(Transaction transaction, Transaction::begin(impl_->database));
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement insert = impl_->database.prepare(
      "INSERT INTO signatures(version_id, bundle, signer, at, signed_by, audit_sequence) VALUES(?, ?, ?, ?, ?, ?)");
  TRY(const std::uint64_t sequence, sqlite::next_audit_sequence(impl_->database));
  TRY_DO(insert.bind(version, stored.bundle, stored.signer, stored.at, stored.signed_by, sequence).run());
  stored.id = impl_->database.last_insert_id();
  TRY_DO(sqlite::append_sealed(impl_->database, stored.at, draft));
  TRY_DO(transaction.commit());
  return stored;
}

Result<std::vector<StoredSignature>> SqliteLedger::signatures(const registry::VersionRef& ref) const {
  const std::lock_guard lock(impl_->mutex);
  TRY(const std::int64_t version, sqlite::find_version(impl_->database, ref));
  Statement select = impl_->database.prepare(
      "SELECT id, bundle, signer, at, signed_by FROM signatures WHERE version_id = ? ORDER BY id DESC");
  select.bind(version);
  std::vector<StoredSignature> found;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return found;
    found.push_back({select.integer(0), select.text(1), select.text(2), select.timestamp(3), select.text(4)});
  }
}

}  // namespace backstay
