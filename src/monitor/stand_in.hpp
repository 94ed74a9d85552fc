#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "monitor/after_rollout.hpp"
#include "monitor/known_backends.hpp"
#include "services/choose_return.hpp"

namespace backstay::monitor {

/// What serves when a rollback leads to a stable version that is down itself: the best of the versions that served
/// before it (services::choose_return), of those that are ready. Taking the candidate's traffic waits for none of this:
/// it is a return of its own, right after the rollback is durable. What took the candidate down may take stable, and
/// health checks are slower than guardrails: stable has to be ready for half a minute before the incident is over.
/// Without such a version the log says so, once, and whichever gets ready first is taken: stable, or one of the others.
/// After a restart of the server soon after a rollback stable has the plan's ready_timeout to come back. On the loop's
/// thread.
class StandIn {
 public:
  /// services::choose_return with its records and rules; called on the thread that stores. May be empty: an endpoint
  /// stays where its rollback led.
  using Find = std::function<Result<services::ReturnChoice>(const EndpointRecord&, const services::IsWarm&)>;
  StandIn(AfterRollout ports, Find find) : ports_(std::move(ports)), find_(std::move(find)) {}

  /// The state is durable, since now or, with `again`, since before this start. `known` is the loop's.
  void after(const rollout::State& state, const KnownBackends& known, bool again);
  /// Time passes, and backends come and go.
  void tick(const KnownBackends& known);

 private:
  /// A rollback whose stable version has not been ready for long enough since.
  struct Open {
    rollout::State ended;
    std::string latest;         ///< The endpoint's newest rollout: the rollback, or a return that could not be done.
    Monotonic due{};            ///< Not looked up before this.
    bool busy = false;          ///< It is being looked up, or left.
    bool told = false;          ///< The log says that nothing can take its place.
    Monotonic opened{};         ///< When it was told of.
    Monotonic patient_until{};  ///< Before this it is only down when it gave up.
    std::optional<Monotonic> ready_since{};  ///< While it is ready.
  };
  bool is_down(const Open& open, const KnownBackends& known) const;
  /// nullptr: the endpoint is elsewhere by now.
  Open* open_of(const std::string& endpoint, const std::string& rollout);
  void look(Open& open, const KnownBackends& known);
  void take(Open& open, const services::ReturnChoice& choice, const KnownBackends& known);
  void tell(Open& open, const services::ReturnChoice& choice);
  /// The endpoint has left stable, or could not.
  void left(const std::string& endpoint, const std::string& rollout, const Result<void>& result);

  AfterRollout ports_;
  Find find_;
  std::map<std::string, Open> open_;  ///< By endpoint.
};

}  // namespace backstay::monitor
