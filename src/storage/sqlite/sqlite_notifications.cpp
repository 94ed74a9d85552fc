#include "storage/sqlite/ledger_impl.hpp"

/// How far targets have been told, and what could not be delivered.
namespace backstay {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

namespace {

Result<void> put_told(const Database& database, const std::string& target, std::uint64_t sequence) {
  Statement put = database.prepare(
      "INSERT INTO told VALUES(?, ?, '') ON CONFLICT(target) DO UPDATE SET sequence = max(sequence, "
      "excluded.sequence), "
      "trouble = ''");
  return put.bind(target, sequence).run();
}

}  // namespace

Result<std::optional<std::uint64_t>> SqliteLedger::told_up_to(const std::string& target) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare("SELECT sequence FROM told WHERE target = ?");
  select.bind(target);
  TRY(const bool found, select.step());
  return found ? std::optional(static_cast<std::uint64_t>(select.integer(0))) : std::nullopt;
}

Result<void> SqliteLedger::set_told_up_to(const std::string& target, std::uint64_t sequence) {
  const std::lock_guard lock(impl_->mutex);
  return put_told(impl_->database, target, sequence);
}

Result<void> SqliteLedger::set_trouble(const std::string& target, const std::string& why) {
  const std::lock_guard lock(impl_->mutex);
  Statement set = impl_->database.prepare("UPDATE told SET trouble = ? WHERE target = ?");
  return set.bind(why, target).run();
}

Result<std::vector<ToldTarget>> SqliteLedger::targets() const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare("SELECT target, sequence, trouble FROM told ORDER BY target");
  std::vector<ToldTarget> out;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return out;
    out.push_back({select.text(0), static_cast<std::uint64_t>(select.integer(1)), select.text(2)});
  }
}

Result<void> SqliteLedger::bury(const DeadLetter& letter) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  TRY(Transaction transaction, Transaction::begin(database));
  Statement put = database.prepare(
      "INSERT INTO dead_letters VALUES(?, ?, ?, ?, ?) ON CONFLICT(target, sequence) DO UPDATE SET why = excluded.why, "
      "at = excluded.at, due = excluded.due");
  TRY_DO(put.bind(letter.target, letter.sequence, letter.why, letter.at, letter.due).run());
  TRY_DO(put_told(database, letter.target, letter.sequence));
  return transaction.commit();
}

Result<std::vector<DeadLetter>> SqliteLedger::dead_letters(const std::string& target) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(
      "SELECT target, sequence, why, at, due FROM dead_letters WHERE ?1 = '' OR target = ?1 ORDER BY target, sequence");
  select.bind(target);
  std::vector<DeadLetter> out;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return out;
    out.push_back({select.text(0), static_cast<std::uint64_t>(select.integer(1)), select.text(2), select.timestamp(3),
                   select.integer(4) != 0});
  }
}

Result<std::uint64_t> SqliteLedger::make_due(const std::string& target) {
  const std::lock_guard lock(impl_->mutex);
  Statement count =
      impl_->database.prepare("UPDATE dead_letters SET due = 1 WHERE ?1 = '' OR target = ?1 RETURNING sequence");
  count.bind(target);
  std::uint64_t changed = 0;
  while (true) {
    TRY(const bool more, count.step());
    if (!more) return changed;
    ++changed;
  }
}

Result<void> SqliteLedger::remove(const std::string& target, std::uint64_t sequence) {
  const std::lock_guard lock(impl_->mutex);
  Statement remove = impl_->database.prepare("DELETE FROM dead_letters WHERE target = ? AND sequence = ?");
  return remove.bind(target, sequence).run();
}

}  // namespace backstay
