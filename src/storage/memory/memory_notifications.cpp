#include <algorithm>

#include "storage/memory/memory_ledger.hpp"

namespace backstay {

Result<std::optional<std::uint64_t>> MemoryLedger::told_up_to(const std::string& target) const {
  const std::lock_guard lock(mutex_);
  const auto found = told_.find(target);
  return found == told_.end() ? std::nullopt : std::optional(found->second.told_up_to);
}

Result<void> MemoryLedger::set_told_up_to(const std::string& target, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  told_[target] = {target, std::max(told_[target].told_up_to, sequence), ""};
  return {};
}

Result<void> MemoryLedger::set_trouble(const std::string& target, const std::string& why) {
  const std::lock_guard lock(mutex_);
  const auto found = told_.find(target);
  if (found != told_.end()) found->second.trouble = why;
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
  told_[letter.target] = {letter.target, std::max(told_[letter.target].told_up_to, letter.sequence), ""};
  return {};
}

Result<std::vector<DeadLetter>> MemoryLedger::dead_letters(const std::string& target) const {
  const std::lock_guard lock(mutex_);
  std::vector<DeadLetter> out;
  for (const auto& [key, letter] : dead_letters_)
    if (target.empty() || key.first == target) out.push_back(letter);
  return out;
}

Result<std::uint64_t> MemoryLedger::make_due(const std::string& target) {
  const std::lock_guard lock(mutex_);
  std::uint64_t changed = 0;
  for (auto& [key, letter] : dead_letters_) {
    if (!target.empty() && key.first != target) continue;
    letter.due = true;
    ++changed;
  }
  return changed;
}

Result<void> MemoryLedger::remove(const std::string& target, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  dead_letters_.erase({target, sequence});
  return {};
}

}  // namespace backstay
