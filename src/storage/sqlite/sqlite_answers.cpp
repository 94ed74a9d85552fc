#include "storage/sqlite/ledger_impl.hpp"

namespace backstay {

using sqlite::Statement;

namespace {

constexpr std::chrono::hours kRemembered{24};

}  // namespace

Result<std::optional<StoredAnswer>> SqliteLedger::answer(const std::string& key) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare("SELECT request, status, content_type, body FROM answers WHERE key = ?");
  TRY(const bool found, select.bind(key).step());
  if (!found) return std::optional<StoredAnswer>();
  return std::optional(
      StoredAnswer{select.digest(0), static_cast<int>(select.integer(1)), select.text(2), select.text(3)});
}

Result<void> SqliteLedger::remember(const std::string& key, const StoredAnswer& answer) {
  const std::lock_guard lock(impl_->mutex);
  const Timestamp now = impl_->clock.now();
  TRY(sqlite::Transaction transaction, sqlite::Transaction::begin(impl_->database));
  Statement forget = impl_->database.prepare("DELETE FROM answers WHERE at < ?");
  TRY_DO(forget.bind(Timestamp(now - kRemembered)).run());
  Statement insert =
      impl_->database.prepare("INSERT INTO answers VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO NOTHING");
  insert.bind(key, answer.request, answer.status, answer.content_type, answer.body, now);
  TRY_DO(insert.run());
  return transaction.commit();
}

}  // namespace backstay
