#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "domain/audit/entry.hpp"
#include "domain/rollout/plan.hpp"
#include "gateway/gateway.hpp"
#include "gateway/routing.hpp"
#include "monitor/examiners.hpp"
#include "monitor/guardrail_watch.hpp"
#include "monitor/status.hpp"
#include "ports/backends.hpp"
#include "ports/ledger.hpp"
#include "ports/lineage.hpp"
#include "ports/predictions.hpp"
#include "ports/recordings.hpp"
#include "services/drive_rollout.hpp"
#include "services/find_dependents.hpp"

namespace backstay::monitor {

/// What the monitor has to know of an endpoint.
struct EndpointConfig {
  std::string name;
  std::string model;
  std::vector<guardrails::GuardrailSpec> guardrails;
  std::vector<ValueSlots> slots;  ///< From plan_values().
  rollout::Plan plan;             ///< For rollouts that bring none of their own.
  guardrails::Family family;
  std::vector<ExaminerConfig> examiners{};  ///< In the order of plan_values().
};

/// The control loop: one thread that drains outcomes, feeds the guardrails, runs the rollouts and publishes routing.
/// A breach takes the candidate's traffic away within the same turn of the loop; the store is told after that, by a
/// thread of its own. All public functions but start() and stop() may be called from any thread.
class Monitor {
 public:
  struct Ports {
    gateway::Gateway& gateway;
    gateway::RoutingCell& routing;
    Backends& backends;
    RolloutStore& store;
    LineageStore& lineage;
    AuditLog& audit;
    PredictionStore& predictions;
    RecordingStore* recordings;  ///< nullptr: nothing is recorded.
    const Clock& clock;
    /// Says how a version is served behind an endpoint. May take long (it checks artifacts out); called from a thread
    /// that has nothing else to do.
    std::function<Result<BackendSpec>(const std::string& endpoint, const std::string& version)> backend_of;
    /// Told, on the thread that stores, whenever something was; may be empty.
    std::function<void()> stored{};
    /// What needs a version that a rollout left; see DependentReleases. May be empty.
    std::function<Result<std::vector<services::Dependent>>(const rollout::State&, const services::IsWarm&)>
        find_dependents{};
    gateway::AnswerQueue* answers = nullptr;  ///< Sampled answers; nullptr: there are no examiners.
    std::function<Result<registry::Signature>(const std::string& endpoint, const std::string& version)> signature_of{};
    /// Whether a release may begin, asked on the thread that stores it; see services::StartCheck. May be empty.
    std::function<Result<void>(const rollout::State& state, const std::string& model)> may_start{};
    /// Told, on the thread that stores, that labels show more errors of a version than a guardrail allows
    /// (ErrorAlarms). May be empty.
    std::function<void(const std::string& endpoint, const std::string& version)> errors_rose{};
    /// Where an endpoint can go that leaves its stable version; see StandIn. May be empty.
    std::function<Result<services::ReturnChoice>(const EndpointRecord&, const services::IsWarm&)> choose_return{};
  };

  Monitor(Ports ports, const std::vector<EndpointConfig>& endpoints);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// Reads where everything was and brings it back: traffic, backends, rollouts. Then starts the thread.
  Result<void> start();
  /// Waits until what every endpoint serves is ready, or can't be; false: it took longer than that.
  bool wait_until_ready(milliseconds longest);
  /// Stops the thread; decisions that were made are stored first.
  void stop();

  /// From the gateway: there are outcomes to drain.
  void wake() const;
  /// From the supervisor.
  void on_backend(const BackendStatus& status);

  /// An order is refused with its condition's error. Nothing comes between the condition and the order.
  using Condition = std::function<Result<void>(const Deployment&)>;

  /// These answer when the change is durable.
  std::future<Result<void>> start_rollout(const std::string& endpoint, const std::string& candidate,
                                          const std::optional<rollout::Plan>& plan, const services::ReleaseOrder& order,
                                          Condition condition = {});
  /// Traffic is taken away at once, whatever the store does.
  /// `to`: the version to return to; empty: stable while a rollout is under way, else `target`. A return waits for its
  /// version's backend as long as the endpoint's plan says (ready_timeout).
  std::future<Result<void>> roll_back(const std::string& endpoint, const std::string& actor, const std::string& reason,
                                      const std::string& to = "", Condition condition = {},
                                      const services::RolloutDriver::Target& target = {});
  std::future<Result<void>> handle(const std::string& endpoint, const rollout::Event& event, Condition condition = {});

  /// Answers when the labels are durable; after a failure none of them was taken.
  std::future<Result<FeedbackResult>> feedback(std::vector<Label> labels);
  std::future<Status> status();
  /// Which guardrails will hardly see enough in the rollout under way: sentences.
  std::future<std::vector<std::string>> little_traffic(const std::string& endpoint);
  std::future<Result<Deployment>> deployment(const std::string& endpoint);

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace backstay::monitor
