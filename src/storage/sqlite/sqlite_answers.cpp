#include <fmt/format.h>

#include "storage/sqlite/ledger_impl.hpp"
#include "storage/sqlite/records.hpp"

namespace backstay {

using sqlite::Statement;

namespace {

constexpr std::chrono::hours kRemembered{24};

}  // namespace

Digest sqlite::answer_seal(const std::string& key, const StoredAnswer& answer) {
  return sha256({fmt::format("{} {} {} ", key.size(), answer.content_type.size(), answer.status), key,
                 answer.content_type, answer.request.hex(), answer.body});
}

Result<std::optional<StoredAnswer>> SqliteLedger::answer(const std::string& key) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select =
      impl_->database.prepare("SELECT request, status, content_type, body, sha256 FROM answers WHERE key = ?");
  TRY(const bool found, select.bind(key).step());
  if (!found) return std::optional<StoredAnswer>();
  StoredAnswer answer{select.digest(0), static_cast<int>(select.integer(1)), select.text(2), select.text(3)};
  if (select.type(4) != 'n' && select.digest(4) != sqlite::answer_seal(key, answer))
    return Unexpected(ErrorCode::kIntegrity, fmt::format("The answer kept for the key '{}' was changed.", key),
                      "Look at the registry with backstay fsck; what was asked for was done once.");
  return std::optional(std::move(answer));
}

Result<void> SqliteLedger::remember(const std::string& key, const StoredAnswer& answer) {
  const std::lock_guard lock(impl_->mutex);
  const Timestamp now = impl_->clock.now();
  TRY(sqlite::Transaction transaction, sqlite::Transaction::begin(impl_->database));
  Statement forget = impl_->database.prepare("DELETE FROM answers WHERE at < ?");
  TRY_DO(forget.bind(Timestamp(now - kRemembered)).run());
  Statement insert =
      impl_->database.prepare("INSERT INTO answers VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO NOTHING");
  insert.bind(key, answer.request, answer.status, answer.content_type, answer.body, now,
              sqlite::answer_seal(key, answer));
  TRY_DO(insert.run());
  return transaction.commit();
}

}  // namespace backstay
