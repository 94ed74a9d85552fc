#include <fmt/format.h>

#include <sstream>

#include "storage/sqlite/ledger_impl.hpp"

/// How far targets have been told, and what could not be delivered.
namespace backstay {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

namespace {

constexpr const char* kColumns = "target, sequence, events, served, trouble_sequence, tries, since, next_try, trouble";

Result<void> put_told(const Database& database, const std::string& target, std::uint64_t sequence) {
  Statement put = database.prepare(
      "INSERT INTO told(target, sequence, trouble) VALUES(?, ?, '') ON CONFLICT(target) DO UPDATE SET sequence = "
      "max(sequence, excluded.sequence)");
  return put.bind(target, sequence).run();
}

ToldTarget read_told(const Statement& row) {
  ToldTarget out{row.text(0), static_cast<std::uint64_t>(row.integer(1)), {}, row.integer(3) != 0, {}};
  std::istringstream events(row.text(2));
  for (std::string event; events >> event;) out.events.push_back(event);
  const auto tries = static_cast<std::uint64_t>(row.integer(5));
  if (tries != 0)
    out.trouble =
        Trouble{static_cast<std::uint64_t>(row.integer(4)), tries, row.timestamp(6), row.timestamp(7), row.text(8)};
  return out;
}

}  // namespace

Result<void> SqliteLedger::set_targets(const std::vector<Audience>& targets, std::uint64_t newest) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  TRY(Transaction transaction, Transaction::begin(database));
  // 2: was served until now.
  TRY_DO(database.execute("UPDATE told SET served = 2 WHERE served = 1"));
  Statement put = database.prepare(
      "INSERT INTO told(target, sequence, trouble, events, served) VALUES(?, ?, '', ?, 1) ON CONFLICT(target) DO "
      "UPDATE "
      "SET sequence = iif(served = 0, max(sequence, excluded.sequence), sequence), events = excluded.events, served = "
      "1");
  for (const Audience& audience : targets)
    TRY_DO(put.reset().bind(audience.target, newest, fmt::format("{}", fmt::join(audience.events, " "))).run());
  TRY_DO(database.execute("UPDATE told SET served = 0, tries = 0, trouble = '' WHERE served = 2"));
  return transaction.commit();
}

Result<std::optional<ToldTarget>> SqliteLedger::target(const std::string& name) const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(fmt::format("SELECT {} FROM told WHERE target = ?", kColumns));
  select.bind(name);
  TRY(const bool found, select.step());
  return found ? std::optional(read_told(select)) : std::nullopt;
}

Result<std::vector<ToldTarget>> SqliteLedger::targets() const {
  const std::lock_guard lock(impl_->mutex);
  Statement select = impl_->database.prepare(fmt::format("SELECT {} FROM told ORDER BY target", kColumns));
  std::vector<ToldTarget> out;
  while (true) {
    TRY(const bool more, select.step());
    if (!more) return out;
    out.push_back(read_told(select));
  }
}

Result<void> SqliteLedger::set_told_up_to(const std::string& target, std::uint64_t sequence) {
  const std::lock_guard lock(impl_->mutex);
  return put_told(impl_->database, target, sequence);
}

Result<void> SqliteLedger::set_trouble(const std::string& target, const std::optional<Trouble>& trouble) {
  const std::lock_guard lock(impl_->mutex);
  Statement set = impl_->database.prepare(
      "UPDATE told SET trouble_sequence = ?, tries = ?, since = ?, next_try = ?, trouble = ? WHERE target = ?");
  const Trouble& t = trouble ? *trouble : Trouble();
  return set.bind(t.sequence, t.tries, t.since, t.next_try, t.why, target).run();
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

Result<std::uint64_t> SqliteLedger::make_due(const std::string& target, Timestamp now) {
  const std::lock_guard lock(impl_->mutex);
  const Database& database = impl_->database;
  TRY(Transaction transaction, Transaction::begin(database));
  Statement hurry = database.prepare("UPDATE told SET next_try = ?2 WHERE tries > 0 AND (?1 = '' OR target = ?1)");
  TRY_DO(hurry.bind(target, now).run());
  Statement mark =
      database.prepare("UPDATE dead_letters SET due = 1, at = ?2 WHERE ?1 = '' OR target = ?1 RETURNING sequence");
  mark.bind(target, now);
  for (std::uint64_t changed = 0;; ++changed) {
    TRY(const bool more, mark.step());
    if (more) continue;
    TRY_DO(transaction.commit());
    return changed;
  }
}

Result<void> SqliteLedger::remove(const std::string& target, std::uint64_t sequence) {
  const std::lock_guard lock(impl_->mutex);
  Statement remove = impl_->database.prepare("DELETE FROM dead_letters WHERE target = ? AND sequence = ?");
  return remove.bind(target, sequence).run();
}

}  // namespace backstay
