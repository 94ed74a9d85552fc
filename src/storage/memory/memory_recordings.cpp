#include "storage/memory/memory_recordings.hpp"

namespace backstay {

Result<void> MemoryRecordings::begin(const std::string& rollout, const std::string& policy) {
  const std::lock_guard lock(mutex_);
  std::vector<Block>& blocks = recordings_[rollout];
  const Ended* ended = blocks.empty() ? nullptr : std::get_if<Ended>(&blocks.back());
  if (ended != nullptr && ended->why.empty()) blocks.clear();
  blocks.emplace_back(Policy{policy});
  return {};
}

Result<void> MemoryRecordings::resume(const std::string& rollout) {
  const std::lock_guard lock(mutex_);
  recordings_[rollout].emplace_back(Resumed{});
  return {};
}

Result<void> MemoryRecordings::append(const std::string& rollout, const std::vector<Observation>& observations) {
  const std::lock_guard lock(mutex_);
  std::vector<Block>& blocks = recordings_[rollout];
  blocks.insert(blocks.end(), observations.begin(), observations.end());
  return {};
}

Result<void> MemoryRecordings::suspend(const std::string& rollout) {
  const std::lock_guard lock(mutex_);
  recordings_[rollout].emplace_back(Paused{});
  return {};
}

Result<void> MemoryRecordings::end(const std::string& rollout, const std::string& why) {
  const std::lock_guard lock(mutex_);
  recordings_[rollout].emplace_back(Ended{why});
  return {};
}

Result<RecordingStore::Recorded> MemoryRecordings::read(const std::string& rollout, const Reader& reader) const {
  std::vector<Block> blocks;
  {
    const std::lock_guard lock(mutex_);
    const auto found = recordings_.find(rollout);
    if (found == recordings_.end())
      return Unexpected(ErrorCode::kNotFound, "There is no recording of " + rollout + ".");
    blocks = found->second;
  }
  std::string gap;
  bool paused = true;
  for (const Block& block : blocks) {
    const auto* policy = std::get_if<Policy>(&block);
    const bool resumed = std::holds_alternative<Resumed>(block);
    if ((policy != nullptr || resumed) && !paused) gap = "The server was killed in between.";
    paused = std::holds_alternative<Paused>(block);
    if (policy != nullptr) TRY_DO(reader.policy(policy->text));
    if (resumed && reader.resumed) reader.resumed();
    if (const auto* observation = std::get_if<Observation>(&block)) reader.observation(*observation);
    if (const auto* ended = std::get_if<Ended>(&block)) {
      const std::string why = ended->why.empty() ? gap : ended->why;
      return Recorded{why.empty(), why};
    }
  }
  return Recorded{false, "It has no end yet."};
}

}  // namespace backstay
