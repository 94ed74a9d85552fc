#include <algorithm>
#include <set>

#include "storage/memory/memory_ledger.hpp"

namespace backstay {

Result<void> MemoryLedger::set_targets(const std::vector<Audience>& targets, std::uint64_t newest) {
  const std::lock_guard lock(mutex_);
  std::set<std::string> named;
  for (const Audience& audience : targets) {
    named.insert(audience.target);
    const auto [at, is_new] = told_.try_emplace(audience.target);
    ToldTarget& told = at->second;
    if (is_new || !told.served) told.told_up_to = std::max(told.told_up_to, newest);
    told.name = audience.target;
    told.events = audience.events;
    told.served = true;
  }
  for (auto& [name, told] : told_) {
    if (named.count(name) != 0) continue;
    told.served = false;
    told.trouble.reset();
  }
  return {};
}

Result<std::optional<ToldTarget>> MemoryLedger::target(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = told_.find(name);
  return found == told_.end() ? std::nullopt : std::optional(found->second);
}

Result<void> MemoryLedger::set_told_up_to(const std::string& target, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  move_on(target, sequence);
  return {};
}

void MemoryLedger::move_on(const std::string& target, std::uint64_t sequence) {
  ToldTarget& told = told_[target];
  told.name = target;
  told.told_up_to = std::max(told.told_up_to, sequence);
}

Result<void> MemoryLedger::set_trouble(const std::string& target, const std::optional<Trouble>& trouble) {
  const std::lock_guard lock(mutex_);
  const auto found = told_.find(target);
  if (found != told_.end()) found->second.trouble = trouble;
  return {};
}

Result<std::vector<ToldTarget>> MemoryLedger::targets() const {
  const std::lock_guard lock(mutex_);
  std::vector<ToldTarget> out;
  for (const auto& [name, target] : told_) out.push_back(target);
  return out;
}

Result<void> MemoryLedger::bury(const DeadLetter& letter) {
  const std::lock_guard lock(mutex_);
  dead_letters_[{letter.target, letter.sequence}] = letter;
  move_on(letter.target, letter.sequence);
  return {};
}

Result<std::vector<DeadLetter>> MemoryLedger::dead_letters(const std::string& target) const {
  const std::lock_guard lock(mutex_);
  std::vector<DeadLetter> out;
  for (const auto& [key, letter] : dead_letters_)
    if (target.empty() || key.first == target) out.push_back(letter);
  return out;
}

Result<std::uint64_t> MemoryLedger::make_due(const std::string& target, Timestamp now) {
  const std::lock_guard lock(mutex_);
  std::uint64_t changed = 0;
  for (auto& [key, letter] : dead_letters_) {
    if (!target.empty() && key.first != target) continue;
    letter.due = true;
    letter.at = now;
    ++changed;
  }
  for (auto& [name, told] : told_)
    if (told.trouble && (target.empty() || name == target)) told.trouble->next_try = now;
  return changed;
}

Result<void> MemoryLedger::remove(const std::string& target, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  dead_letters_.erase({target, sequence});
  return {};
}

}  // namespace backstay
