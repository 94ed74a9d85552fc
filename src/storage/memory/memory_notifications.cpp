#include <algorithm>

#include "storage/memory/memory_ledger.hpp"

namespace backstay {

Result<std::optional<std::uint64_t>> MemoryLedger::told_up_to(const std::string& target) const {
  const std::lock_guard lock(mutex_);
  const auto found = told_up_to_.find(target);
  return found == told_up_to_.end() ? std::nullopt : std::optional(found->second);
}

Result<void> MemoryLedger::set_told_up_to(const std::string& target, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  std::uint64_t& told = told_up_to_[target];
  told = std::max(told, sequence);
  return {};
}

Result<void> MemoryLedger::bury(const DeadLetter& letter) {
  const std::lock_guard lock(mutex_);
  dead_letters_[{letter.target, letter.sequence}] = letter;
  std::uint64_t& told = told_up_to_[letter.target];
  told = std::max(told, letter.sequence);
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
