#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "monitor/monitor.hpp"
#include "ports/idempotency.hpp"
#include "ports/live_windows.hpp"
#include "ports/version_search.hpp"
#include "services/check_rollout.hpp"
#include "services/records.hpp"
#include "services/registry.hpp"
#include "services/uploads.hpp"

namespace backstay::api {

/// The control API: registry, rollouts, feedback, status and audit over HTTP with a bearer token. Listens on a thread
/// of its own; the destructor stops it and waits for requests that are under way.
class ControlServer {
 public:
  struct Ports {
    monitor::Monitor& monitor;
    services::Registry registry;
    services::Records records;
    services::Uploads& uploads;
    VersionSearch& search;
    IdempotencyStore& answers;
    const LiveWindowStore& live_windows;
    /// Model of each endpoint.
    std::function<Result<std::string>(const std::string& endpoint)> model_of;
    /// What each endpoint asks of a version; may be empty.
    std::function<services::ReleaseRules(const std::string& endpoint)> release_rules{};
    /// Each endpoint's own plan; may be empty.
    std::function<rollout::Plan(const std::string& endpoint)> plan_of{};
    /// Of endpoints whose requests are sampled; may be empty.
    std::function<std::optional<LiveCounts>(const std::string& endpoint)> live_counts{};
  };
  /// Fails with kUnavailable when the address is taken.
  static Result<std::unique_ptr<ControlServer>> start(const std::string& host, std::uint16_t port, std::string token,
                                                      Ports ports);
  ~ControlServer();
  std::uint16_t port() const;

 private:
  class Routes;
  explicit ControlServer(std::unique_ptr<Routes> routes);
  std::unique_ptr<Routes> routes_;
};

}  // namespace backstay::api
