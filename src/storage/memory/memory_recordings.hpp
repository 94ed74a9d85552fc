#pragma once

#include <map>
#include <mutex>
#include <variant>

#include "ports/recordings.hpp"

namespace backstay {

/// Recordings for tests and simulations: as those on a disk, without limits. Thread-safe.
class MemoryRecordings : public RecordingStore {
 public:
  Result<void> begin(const std::string& rollout, const std::string& policy) override;
  Result<void> resume(const std::string& rollout) override;
  Result<void> append(const std::string& rollout, const std::vector<Observation>& observations) override;
  Result<void> suspend(const std::string& rollout) override;
  Result<void> end(const std::string& rollout, const std::string& why) override;
  Result<Recorded> read(const std::string& rollout, const Reader& reader) const override;

 private:
  struct Policy {
    std::string text;
  };
  struct Resumed {};
  struct Paused {};
  struct Ended {
    std::string why;
  };
  using Block = std::variant<Policy, Resumed, Paused, Ended, Observation>;

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Block>> recordings_;
};

}  // namespace backstay
