#include "monitor/dependent_releases.hpp"

#include <fmt/format.h>

#include <utility>

#include "services/look_back.hpp"

namespace backstay::monitor {

namespace {

constexpr milliseconds kTryAgainAfter{5'000};

bool leaves_a_version(const rollout::State& state) {
  return state.phase == rollout::Phase::kRolledBack || (state.phase == rollout::Phase::kDone && state.revert);
}

/// Whether the log says already that the same is broken because of the same rollout. It was told of soon after the
/// rollout, which is one of its endpoint's last.
Result<bool> is_told(const AuditLog& audit, const audit::Draft& draft, const std::string& because_of) {
  const std::string cause = fmt::format(R"("because_of":"{}")", because_of);
  return services::look_back(audit, [&](const audit::Entry& entry) {
    const bool same = entry.draft.action == draft.action && entry.draft.subject == draft.subject &&
                      entry.draft.evidence.find(cause) != std::string::npos;
    return same ? services::Look::kFound : services::Look::kGoOn;
  });
}

}  // namespace

void DependentReleases::after(const rollout::State& state, const KnownBackends& known, bool again) {
  if (!find_ || !leaves_a_version(state)) return;
  // The thread that stores has a copy: the original is this thread's.
  ports_.threads.storing([this, state, &original = known, known, again] {
    auto found = find_(state, [&known](const std::string& endpoint, const std::string& version) {
      return known.ready(endpoint, version);
    });
    if (!found) {
      ports_.threads.loop([this, state, &original, again] {
        try_again([this, state, &original, again] { after(state, original, again); });
      });
      return;
    }
    if (found->empty()) return;
    ports_.threads.loop([this, state, &original, again, found = *std::move(found)] {
      bool all = true;
      for (const services::Dependent& dependent : found) all = take(dependent, again) && all;
      // What is told of now is in the log by then.
      if (!all) try_again([this, state, &original] { after(state, original, true); });
    });
  });
}

void DependentReleases::tick() {
  if (tries_.empty() || ports_.clock.monotonic() < due_) return;
  for (const auto& task : std::exchange(tries_, {})) task();
}

void DependentReleases::try_again(std::function<void()> task) {
  tries_.push_back(std::move(task));
  due_ = ports_.clock.monotonic() + kTryAgainAfter;
}

bool DependentReleases::take(const services::Dependent& dependent, bool again) {
  const std::string& name = dependent.endpoint;
  if (!ports_.driver.knows(name)) return true;  // The configuration no longer names it: it serves nothing.
  if (dependent.unknown) {
    flag(dependent, "", again);
    return true;
  }
  if (dependent.candidate) return take_candidate(dependent, again);
  if (ports_.driver.record(name).stable != dependent.version) return true;
  if (dependent.target.version.empty()) {
    flag(dependent, dependent.target.why, again);
    return true;
  }
  ports_.driver.leave_stable(name, {dependent.target.version, dependent.target.evidence, dependent.target.instead},
                             rollout::kSelf, dependent.reason, [this, dependent, again](const Result<void>& result) {
                               if (!result) flag(dependent, result.error().message, again);
                             });
  return true;
}

bool DependentReleases::take_candidate(const services::Dependent& dependent, bool again) {
  const std::string& name = dependent.endpoint;
  const rollout::State* latest = ports_.driver.decided(name);
  if (latest == nullptr || latest->candidate != dependent.version) return true;
  if (latest->phase == rollout::Phase::kDone) return false;
  if (latest->phase == rollout::Phase::kRolledBack) return true;
  // Taking a return back would leave the endpoint with what it was to get away from.
  if (latest->revert) {
    flag(dependent, fmt::format("{} returns to it.", latest->id), again);
  } else {
    ports_.driver.handle(name, rollout::DependencyLost{dependent.reason, dependent.evidence});
  }
  return true;
}

void DependentReleases::flag(const services::Dependent& dependent, const std::string& why, bool again) {
  audit::Draft draft{rollout::kSelf, "dependency.broken", "endpoint " + dependent.endpoint,
                     fmt::format("{} It goes on serving: {}", dependent.reason, why), dependent.evidence};
  if (dependent.unknown) {
    draft.action = "dependency.unknown";
    draft.reason = dependent.reason;
  }
  append(draft, dependent, again);
}

void DependentReleases::append(const audit::Draft& draft, const services::Dependent& dependent, bool again) {
  ports_.threads.storing([this, draft, dependent, again] {
    const Result<bool> told = again ? is_told(ports_.audit, draft, dependent.because_of) : Result<bool>(false);
    if (told && *told) return;
    if (told && ports_.audit.append(draft)) {
      if (ports_.stored) ports_.stored();
      return;
    }
    ports_.threads.loop([this, draft, dependent, again] { try_again([=, this] { append(draft, dependent, again); }); });
  });
}

}  // namespace backstay::monitor
