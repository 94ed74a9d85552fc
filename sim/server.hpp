#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/routing.hpp"
#include "monitor/dependent_releases.hpp"
#include "monitor/known_backends.hpp"
#include "monitor/stand_in.hpp"
#include "monitor/watched_endpoint.hpp"
#include "ports/backends.hpp"
#include "ports/predictions.hpp"
#include "services/drive_rollout.hpp"
#include "sim/world.hpp"

namespace backstay::sim {

/// Sees what the server does to one endpoint while it does it.
class ServerWatcher {
 public:
  virtual ~ServerWatcher() = default;
  /// `loading`: the server is coming back and puts things where they were.
  virtual void traffic_set(const traffic::Split& split, bool loading) = 0;
  virtual void backend_ensured(const std::string& version) = 0;
  virtual void backend_released(const std::string& version) = 0;
  virtual void breached(const std::string& rollout_id) = 0;
  virtual void guardrails_reset() = 0;
  /// They have seen again what was recorded: of the candidate's, this many bad answers.
  virtual void guardrails_restored(std::uint64_t bad) = 0;
  /// One request by the table that the gateway has.
  virtual void served(const traffic::Split& table, const std::string& version, bool bad) = 0;
  /// One piece of feedback was shown to the guardrails.
  virtual void feedback_counted(const traffic::PredictionId& id, FeedbackKind kind) = 0;
};

/// One life of the server: the real driver, routing table and guardrails, joined as monitor/control_loop.cpp joins
/// them, with the threads' queues replaced by events. Its events die with it.
class Server : public services::RolloutWorld, public services::CommitQueue {
 public:
  using WatcherOf = std::function<ServerWatcher&(const std::string& endpoint)>;
  Server(World& world, WatcherOf watcher_of);

  /// Reads where everything was and brings it back. `forget`: what a sabotaged start takes for the first endpoint's
  /// newest rollout.
  void load(const std::optional<rollout::State>& forget);
  /// One turn of the control loop.
  void turn();
  /// One client's request, to any endpoint.
  void serve_request();

  services::RolloutDriver& driver() { return driver_; }
  const services::RolloutDriver& driver() const { return driver_; }
  const traffic::Split& split(const std::string& endpoint) const { return directory_.split(endpoint); }
  Timeline::Owner life() const { return life_; }
  /// As far as the server knows.
  const monitor::KnownBackends& known() const { return backends_; }

  // RolloutWorld
  void set_traffic(const std::string& endpoint, const traffic::Split& split) override;
  void ensure_backend(const std::string& endpoint, const std::string& version) override;
  void release_backend(const std::string& endpoint, const std::string& version) override;
  void reset_guardrails(const std::string& endpoint) override;
  void rearm_guardrails(const std::string& endpoint) override;
  void restore_guardrails(const std::string& endpoint) override;
  // CommitQueue
  void submit(const rollout::Transition& transition, const std::string& model, Done done) override;

 private:
  /// A thread's queue: what is posted happens later, in order.
  struct Queue {
    microseconds usual;
    microseconds held_up;
    microseconds last{0};
  };
  using Watched = monitor::WatchedEndpoint;
  void post(Queue& queue, std::function<void()> task);
  monitor::AfterRollout after_rollout();
  void follow(const rollout::State& state, bool again);
  Watched& find(const std::string& endpoint);
  void publish(const std::string& endpoint, const traffic::Split& split);
  void take_status(const BackendStatus& status);
  void serve(std::size_t endpoint);
  /// Outcomes are on their way through a ring.
  void deliver(const traffic::Outcome& outcome);
  void drain();
  void take(const traffic::Outcome& outcome);
  /// What the users of an answer are going to tell.
  void expect_feedback(const traffic::Outcome& outcome, const VersionScript& script, bool positive);
  void tell_later(const Label& label, microseconds after);
  void take_feedback(const Label& label);
  void draw_values(traffic::Outcome& outcome, const VersionScript& script, std::size_t group, bool positive);
  traffic::Outcome attempt(std::size_t endpoint, const gateway::Arm& arm, std::uint32_t candidate_ppm);
  void show(Watched& endpoint, const rollout::State& state, const Observation& observation);
  void on_breach(Watched& endpoint, const guardrails::Evidence& evidence);
  void check_candidate(const std::string& endpoint);
  void tick(Watched& endpoint);

  World& world_;
  WatcherOf watcher_of_;
  std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
  gateway::RoutingCell cell_;
  gateway::RoutingDirectory directory_;
  std::vector<Watched> endpoints_;
  monitor::KnownBackends backends_;
  Queue inbox_{microseconds(1'000), microseconds(5'000)};
  Queue backend_thread_{microseconds(5'000), microseconds(400'000)};  ///< Checking artifacts out takes its time.
  std::deque<traffic::Outcome> ring_;
  std::shared_ptr<const gateway::RoutingTable> table_;  ///< That the gateway goes by.
  bool loading_ = false;
  services::RolloutDriver driver_;
  monitor::DependentReleases dependents_;
  monitor::StandIn stand_in_;
};

/// "1.0.0 90%, 1.1.0 10%".
std::string describe(const traffic::Split& split);
/// The share a version gets of what clients see.
std::uint32_t share_of(const traffic::Split& split, const std::string& version);

}  // namespace backstay::sim
