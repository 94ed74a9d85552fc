#pragma once

#include <functional>
#include <string>

#include "gateway/routing.hpp"
#include "monitor/inbox.hpp"
#include "monitor/known_backends.hpp"
#include "monitor/task_thread.hpp"
#include "ports/backends.hpp"
#include "ports/lineage.hpp"

namespace backstay::monitor {

/// Has the supervisor start and stop backends, on a thread of its own (preparing one takes long), and keeps the routing
/// table's addresses as they are. All but finish() and the destructor: on the loop's thread.
class BackendCare {
 public:
  struct Ports {
    Backends& backends;
    LineageStore& lineage;
    gateway::RoutingDirectory& directory;
    Inbox& inbox;
    /// Says how a version is served behind an endpoint.
    std::function<Result<BackendSpec>(const std::string& endpoint, const std::string& version)> backend_of;
    std::function<void()> changed;  ///< Called on the loop's thread when something was learnt.
  };
  explicit BackendCare(Ports ports) : ports_(std::move(ports)) {}

  void ensure(const std::string& endpoint, const std::string& model, const std::string& version);
  void release(const std::string& endpoint, const std::string& version);
  /// From the supervisor.
  void take(const BackendStatus& status);
  const KnownBackends& known() const { return known_; }
  /// Waits for what was asked for.
  void finish() { thread_.finish(); }

 private:
  void number(const std::string& endpoint, const std::string& model, const std::string& version);

  Ports ports_;
  KnownBackends known_;
  TaskThread thread_;  // Last: it uses all of the above.
};

}  // namespace backstay::monitor
