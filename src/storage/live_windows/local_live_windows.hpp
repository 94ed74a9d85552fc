#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>

#include "ports/live_windows.hpp"

namespace backstay {

/// Windows as files ROOT/<endpoint>/<from in microseconds>-<version>-<hash of the segment>.window (0600): a line of
/// JSON that says what it is, a line with the profile, a line with that of the predictions. Written beside, synced,
/// renamed.
class LocalLiveWindows : public LiveWindowStore {
 public:
  struct Limits {
    std::size_t windows = 2'000;                             ///< Per endpoint.
    std::uint64_t bytes = std::uint64_t{256} * 1024 * 1024;  ///< Per endpoint.
  };
  explicit LocalLiveWindows(std::filesystem::path root) : LocalLiveWindows(std::move(root), Limits{}) {}
  LocalLiveWindows(std::filesystem::path root, Limits limits) : root_(std::move(root)), limits_(limits) {}

  Result<void> keep(const LiveWindow& window) override;
  Result<std::vector<LiveWindow>> windows(const std::string& endpoint,
                                          const std::optional<Timestamp>& since) const override;

 private:
  Result<std::filesystem::path> folder_of(const std::string& endpoint) const;
  void make_room(const std::filesystem::path& folder) const;

  std::filesystem::path root_;
  Limits limits_;
  std::mutex mutex_;
};

}  // namespace backstay
