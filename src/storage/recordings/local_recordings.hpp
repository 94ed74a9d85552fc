#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>

#include "base/descriptor.hpp"
#include "ports/recordings.hpp"

namespace backstay {

/// Recordings as files ROOT/<rollout>.rec (0600). One process writes; others may read meanwhile. Thread-safe.
class LocalRecordings : public RecordingStore {
 public:
  struct Limits {
    std::uint64_t each_bytes = std::uint64_t{256} * 1024 * 1024;      ///< A recording ends when it has this length.
    std::uint64_t all_bytes = std::uint64_t{2} * 1024 * 1024 * 1024;  ///< The oldest are removed for new ones.
  };
  explicit LocalRecordings(std::filesystem::path root, Limits limits) : root_(std::move(root)), limits_(limits) {}
  explicit LocalRecordings(std::filesystem::path root) : LocalRecordings(std::move(root), Limits{}) {}

  Result<void> begin(const std::string& rollout, const std::string& policy) override;
  Result<void> resume(const std::string& rollout) override;
  Result<void> append(const std::string& rollout, const std::vector<Observation>& observations) override;
  Result<void> suspend(const std::string& rollout) override;
  Result<void> end(const std::string& rollout, const std::string& why) override;
  Result<Recorded> read(const std::string& rollout, const Reader& reader) const override;

 private:
  struct Open {
    Descriptor file;
    std::uint64_t bytes = 0;
    bool ended = false;
    bool whole = false;  ///< It has ended, and nothing is missing.
  };
  Result<std::filesystem::path> path_of(const std::string& rollout) const;
  Result<void> make_room(const std::string& rollout) const;
  Result<Open> open(const std::string& rollout) const;
  Result<void> close(const std::string& rollout, const std::string& last_block);
  Result<void> write(Open& open, const std::string& rollout, const std::string& block) const;

  std::filesystem::path root_;
  Limits limits_;
  std::mutex mutex_;
  std::map<std::string, Open> open_;
};

}  // namespace backstay
