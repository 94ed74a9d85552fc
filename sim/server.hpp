#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gateway/routing.hpp"
#include "monitor/guardrail_watch.hpp"
#include "monitor/known_backends.hpp"
#include "monitor/watched_endpoint.hpp"
#include "ports/backends.hpp"
#include "ports/predictions.hpp"
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
  void post(Queue& queue, std::function<void()> task);
  void publish(const traffic::Split& split);
  void take_status(const BackendStatus& status);
  /// Outcomes are on their way through a ring.
  void deliver(const traffic::Outcome& outcome);
  void drain();
  void take(const traffic::Outcome& outcome);
  /// What the users of an answer are going to tell.
  void expect_feedback(const traffic::Outcome& outcome, const VersionScript& script, std::size_t group, bool positive);
  void tell_later(const Label& label, microseconds after);
  void take_feedback(const Label& label);
  void draw_values(traffic::Outcome& outcome, const VersionScript& script, std::size_t group, bool positive);
  traffic::Outcome attempt(const gateway::Arm& arm, std::uint32_t candidate_ppm);
  void show(const rollout::State& state, const Observation& observation);
  void record(const rollout::State& state, const Observation& observation);
  void write_recording();
  void on_breach(const guardrails::Evidence& evidence);
  void check_candidate();

  World& world_;
  ServerWatcher& watcher_;
  std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
  gateway::RoutingCell cell_;
  gateway::RoutingDirectory directory_;
  std::string policy_;  ///< A scenario's guardrails stay what they are.
  monitor::GuardrailWatch watch_;
  monitor::KnownBackends backends_;
  Queue inbox_{microseconds(1'000), microseconds(5'000)};
  Queue backend_thread_{microseconds(5'000), microseconds(400'000)};  ///< Checking artifacts out takes its time.
  monitor::StepCount step_;
  monitor::RolloutClock clock_;
  std::string recorded_;              ///< The rollout that is being recorded.
  std::vector<Observation> waiting_;  ///< To be written.
  Monotonic oldest_;                  ///< Of what is waiting.
  std::deque<traffic::Outcome> ring_;
  std::shared_ptr<const gateway::RoutingTable> table_;  ///< That the gateway goes by.
  bool loading_ = false;
  services::RolloutDriver driver_;
};

/// "1.0.0 90%, 1.1.0 10%".
std::string describe(const traffic::Split& split);
/// The share a version gets of what clients see.
std::uint32_t share_of(const traffic::Split& split, const std::string& version);

}  // namespace backstay::sim
