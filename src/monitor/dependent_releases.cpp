#include "monitor/dependent_releases.hpp"

#include <fmt/format.h>

namespace backstay::monitor {

namespace {

constexpr const char* kSelf = "backstay";

bool leaves_a_version(const rollout::State& state) {
  return state.phase == rollout::Phase::kRolledBack || (state.phase == rollout::Phase::kDone && state.revert);
}

}  // namespace

void DependentReleases::after(const rollout::State& state, const KnownBackends& known, bool again) {
  if (!ports_.find || !leaves_a_version(state)) return;
  ports_.storing.post([this, state, known, again] {
    auto found = ports_.find(state, [&known](const std::string& endpoint, const std::string& version) {
      return known.ready(endpoint, version);
    });
    // What can't be read now is looked at again with the next start.
    if (!found || found->empty()) return;
    ports_.inbox.post([this, again, found = *std::move(found)] {
      for (const services::Dependent& dependent : found) take(dependent, again);
    });
  });
}

void DependentReleases::take(const services::Dependent& dependent, bool again) {
  const std::string& name = dependent.endpoint;
  const rollout::State* active = ports_.driver.active(name);
  if (dependent.candidate) {
    if (active != nullptr && active->candidate == dependent.version)
      ports_.driver.handle(name, rollout::DependencyLost{dependent.reason, dependent.evidence});
    return;
  }
  if (ports_.driver.record(name).stable != dependent.version) return;
  if (dependent.target.version.empty()) {
    if (!again) flag(dependent, dependent.target.why);
    return;
  }
  ports_.driver.leave_stable(name, {dependent.target.version, dependent.target.evidence}, kSelf, dependent.reason,
                             [this, dependent, again](const Result<void>& result) {
                               if (!result && !again) flag(dependent, result.error().message);
                             });
}

void DependentReleases::flag(const services::Dependent& dependent, const std::string& why) {
  const audit::Draft draft{kSelf, "dependency.broken", "endpoint " + dependent.endpoint,
                           fmt::format("{} It goes on serving: {}", dependent.reason, why), dependent.evidence};
  ports_.storing.post([this, draft] {
    if (ports_.audit.append(draft) && ports_.stored) ports_.stored();
  });
}

}  // namespace backstay::monitor
