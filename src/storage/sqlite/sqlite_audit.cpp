#include "storage/sqlite/audit_tree.hpp"
#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"

/// The ledger's audit log.
namespace backstay {

using sqlite::Statement;
using sqlite::Transaction;

Result<audit::Entry> SqliteLedger::append(const audit::Draft& draft) {
  const std::lock_guard lock(impl_->mutex);
  TRY(Transaction transaction, Transaction::begin(impl_->database));
  TRY(audit::Entry entry, sqlite::append_audit(impl_->database, impl_->clock.now(), draft));
  TRY_DO(transaction.commit());
  return entry;
}

Result<audit::Entry> SqliteLedger::append_batch(const std::vector<audit::Draft>& drafts) {
  if (drafts.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "There is no entry to append.", "Give at least one.");
  const std::lock_guard lock(impl_->mutex);
  const Timestamp now = impl_->clock.now();
  TRY(Transaction transaction, Transaction::begin(impl_->database));
  TRY(sqlite::AuditAppender appender, sqlite::AuditAppender::begin(impl_->database));
  for (const audit::Draft& draft : drafts) TRY_DO(appender.append(now, draft));
  TRY_DO(transaction.commit());
  return appender.last();
}

Result<Digest> SqliteLedger::tree_node(audit::NodeId node) const {
  const std::lock_guard lock(impl_->mutex);
  return sqlite::read_tree_node(impl_->database, node);
}

Result<std::uint64_t> SqliteLedger::size() const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare("SELECT coalesce(max(sequence), 0) FROM audit");
  TRY_DO(select.step());
  return static_cast<std::uint64_t>(select.integer(0));
}

Result<std::vector<audit::Entry>> SqliteLedger::read(std::uint64_t from, std::size_t limit) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare("SELECT * FROM audit WHERE sequence >= ? ORDER BY sequence LIMIT ?");
  select.bind(from, static_cast<std::uint64_t>(limit));
  std::vector<audit::Entry> entries;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return entries;
    entries.push_back(sqlite::read_audit_row(select));
  }
}

}  // namespace backstay
