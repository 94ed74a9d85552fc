#pragma once

#include <filesystem>
#include <memory>

#include "ports/backends.hpp"

namespace backstay::serving {

/// Backends on this machine: one thread starts processes, watches their health, restarts them with back-off and stops
/// them with their children; urls it only watches. Output goes to `logs`/<endpoint>-<version>.log. The destructor stops
/// everything and waits for it.
class BackendSupervisor : public Backends {
 public:
  /// `on_change` is called from the supervisor's thread.
  static Result<std::unique_ptr<BackendSupervisor>> create(const std::filesystem::path& logs, OnChange on_change);
  ~BackendSupervisor() override;
  BackendSupervisor(const BackendSupervisor&) = delete;
  BackendSupervisor& operator=(const BackendSupervisor&) = delete;

  Result<void> ensure(const BackendSpec& spec) override;
  void release(const std::string& endpoint, const std::string& version) override;
  std::vector<BackendStatus> snapshot() const override;

 private:
  class Loop;
  explicit BackendSupervisor(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace backstay::serving
