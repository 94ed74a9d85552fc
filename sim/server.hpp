#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gateway/routing.hpp"
#include "monitor/guardrail_watch.hpp"
#include "monitor/known_backends.hpp"
#include "monitor/watched_endpoint.hpp"
#include "ports/backends.hpp"
#include "services/drive_rollout.hpp"
#include "sim/world.hpp"

namespace backstay::sim {

/// Sees what the server does to the world while it does it.
class ServerWatcher {
 public:
  virtual ~ServerWatcher() = default;
  /// `loading`: the server is coming back and puts things where they were.
  virtual void traffic_set(const traffic::Split& split, bool loading) = 0;
  virtual void backend_ensured(const std::string& version) = 0;
  virtual void backend_released(const std::string& version) = 0;
  virtual void breached(const std::string& rollout_id) = 0;
};

/// One life of the server: the real driver, routing table and guardrails, joined as monitor/control_loop.cpp joins them,
/// with the threads' queues replaced by events. Its events die with it.
class Server : public services::RolloutWorld, public services::CommitQueue {
 public:
  Server(World& world, ServerWatcher& watcher);

  /// Reads where everything was and brings it back. `forget`: what a sabotaged start takes for the newest rollout.
  void load(const std::optional<rollout::State>& forget);
  /// One turn of the control loop.
  void turn();
  /// One client's request.
  void serve_request();

  services::RolloutDriver& driver() { return driver_; }
  const services::RolloutDriver& driver() const { return driver_; }
  const traffic::Split& split() const { return directory_.split(kEndpoint); }
  Timeline::Owner life() const { return life_; }
  /// As far as the server knows.
  bool knows_ready(const std::string& version) const { return backends_.ready(kEndpoint, version); }

  // RolloutWorld
  void set_traffic(const std::string& endpoint, const traffic::Split& split) override;
  void ensure_backend(const std::string& endpoint, const std::string& version) override;
  void release_backend(const std::string& endpoint, const std::string& version) override;
  void reset_guardrails(const std::string& endpoint) override;
  // CommitQueue
  void submit(const rollout::Transition& transition, const std::string& model, Done done) override;

 private:
  /// A thread's queue: what is posted happens later, in order.
  struct Queue {
    microseconds usual;
    microseconds held_up;
    microseconds last{0};
  };
  void post(Queue& queue, std::function<void()> task);
  void publish(const traffic::Split& split);
  void take_status(const BackendStatus& status);
  void take(const traffic::Outcome& outcome);
  traffic::Outcome attempt(const gateway::Arm& arm, std::uint32_t candidate_ppm);
  void on_breach(const guardrails::Evidence& evidence);
  void check_candidate();

  World& world_;
  ServerWatcher& watcher_;
  std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
  gateway::RoutingCell cell_;
  gateway::RoutingDirectory directory_;
  monitor::GuardrailWatch watch_;
  monitor::KnownBackends backends_;
  Queue inbox_{microseconds(1'000), microseconds(5'000)};
  Queue backend_thread_{microseconds(5'000), microseconds(400'000)};  ///< Checking artifacts out takes its time.
  monitor::StepCount step_;
  bool loading_ = false;
  services::RolloutDriver driver_;
};

/// "1.0.0 90%, 1.1.0 10%".
std::string describe(const traffic::Split& split);
/// The share a version gets of what clients see.
std::uint32_t share_of(const traffic::Split& split, const std::string& version);

}  // namespace backstay::sim
