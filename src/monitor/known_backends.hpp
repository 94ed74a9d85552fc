#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "domain/rollout/rollout.hpp"
#include "gateway/socket.hpp"
#include "ports/backends.hpp"

namespace backstay::monitor {

/// Where requests to a backend go; nullopt while it is not ready.
std::optional<gateway::Address> address_of(const BackendStatus& status);

/// What the supervisor last said of each backend. Questions are about levels, not edges, so nothing is missed. Not
/// thread-safe.
class KnownBackends {
 public:
  void take(const BackendStatus& status);
  /// What failed before gets another chance, and is not to be taken for the new try's result.
  void forget_failure(const std::string& endpoint, const std::string& version);
  /// It is as good as stopped: the next rollout has to wait for a new one.
  void forget(const std::string& endpoint, const std::string& version) { statuses_.erase({endpoint, version}); }

  bool ready(const std::string& endpoint, const std::string& version) const;
  /// It was tried and does not serve: it ended, gave up, or stopped answering. Not: nobody knows yet.
  bool down(const std::string& endpoint, const std::string& version) const;
  /// It gave up.
  bool failed(const std::string& endpoint, const std::string& version) const;
  /// Ready, or never going to be.
  bool settled(const std::string& endpoint, const std::string& version) const;
  std::vector<BackendStatus> of(const std::string& endpoint) const;
  /// What a rollout under way has to be told of its candidate's backend now.
  std::optional<rollout::Event> news_of_candidate(const rollout::State& state) const;

 private:
  const BackendStatus* find(const std::string& endpoint, const std::string& version) const;
  std::map<std::pair<std::string, std::string>, BackendStatus> statuses_;
};

}  // namespace backstay::monitor
