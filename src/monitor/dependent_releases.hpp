#pragma once

#include <functional>
#include <vector>

#include "base/time.hpp"
#include "monitor/after_rollout.hpp"
#include "monitor/known_backends.hpp"
#include "services/find_dependents.hpp"

namespace backstay::monitor {

/// Takes back what needed a version that was rolled back: a candidate on another endpoint, or the version that one
/// serves, if there is a version that it can return to; else the audit log says what is broken. Looks things up on the
/// thread that stores, after the rollback is durable: nothing waits for it. What the store can't do now is tried again.
/// On the loop's thread.
class DependentReleases {
 public:
  /// services::find_dependents with its records; called on the thread that stores. May be empty: nothing is taken back.
  using Find = std::function<Result<std::vector<services::Dependent>>(const rollout::State&, const services::IsWarm&)>;
  DependentReleases(AfterRollout ports, Find find) : ports_(std::move(ports)), find_(std::move(find)) {}

  /// The state is durable. `again`: it was before this start too, so what is broken may have been told: the log is
  /// asked. `known` is the loop's, and looked at later as well.
  void after(const rollout::State& state, const KnownBackends& known, bool again);
  /// Time passes: what the store could not do is tried again.
  void tick();

 private:
  /// False: what was a candidate has become stable meanwhile, or is about to.
  bool take(const services::Dependent& dependent, bool again);
  bool take_candidate(const services::Dependent& dependent, bool again);
  /// Nothing else can be done: the log says so, once for each rollout that caused it.
  void flag(const services::Dependent& dependent, const std::string& why, bool again);
  void append(const audit::Draft& draft, const services::Dependent& dependent, bool again);
  void try_again(std::function<void()> task);

  AfterRollout ports_;
  Find find_;
  std::vector<std::function<void()>> tries_;  ///< For tick(), from when it is due.
  Monotonic due_;
};

}  // namespace backstay::monitor
