#include "monitor/stand_in.hpp"

#include <fmt/format.h>

#include <utility>

namespace backstay::monitor {

namespace {

constexpr seconds kTryAgainAfter{1};
constexpr seconds kSameIncident{30};
constexpr std::chrono::minutes kStillOpen{15};  ///< After a restart of the server.

}  // namespace

void StandIn::after(const rollout::State& state, const KnownBackends& known, bool again) {
  // A return that failed left its endpoint with what it was to get away from: a person decides on the next one.
  if (!find_ || state.phase != rollout::Phase::kRolledBack || state.revert || state.stable.empty()) return;
  if (again && std::chrono::abs(ports_.clock.now() - state.phase_since) > kStillOpen) return;
  Open open{state, state.id};
  open.opened = open.patient_until = ports_.clock.monotonic();
  if (again) open.patient_until += state.plan.ready_timeout;
  open_.insert_or_assign(state.endpoint, std::move(open));
  tick(known);
}

bool StandIn::is_down(const Open& open, const KnownBackends& known) const {
  const std::string& endpoint = open.ended.endpoint;
  if (known.ready(endpoint, open.ended.stable)) return false;
  const bool waited = ports_.clock.monotonic() >= open.patient_until;
  const bool after_restart = open.patient_until > open.opened;
  if (known.failed(endpoint, open.ended.stable) || (waited && after_restart)) return true;
  return waited && known.down(endpoint, open.ended.stable);
}

void StandIn::tick(const KnownBackends& known) {
  const Monotonic now = ports_.clock.monotonic();
  for (auto it = open_.begin(); it != open_.end();) {
    auto& [endpoint, open] = *it;
    if (!known.ready(endpoint, open.ended.stable)) {
      open.ready_since.reset();
    } else if (!open.ready_since) {
      open.ready_since = now;
    }
    const rollout::State* latest = ports_.driver.decided(endpoint);
    const bool recovered = open.ready_since && now - *open.ready_since >= kSameIncident;
    if ((latest == nullptr || latest->id != open.latest || recovered) && !open.busy) {
      it = open_.erase(it);
      continue;
    }
    if (!open.busy && now >= open.due && is_down(open, known)) look(open, known);
    ++it;
  }
}

StandIn::Open* StandIn::open_of(const std::string& endpoint, const std::string& rollout) {
  const auto found = open_.find(endpoint);
  return found != open_.end() && found->second.ended.id == rollout ? &found->second : nullptr;
}

void StandIn::look(Open& open, const KnownBackends& known) {
  open.busy = true;
  // The thread that stores has a copy: the original is this thread's.
  ports_.threads.storing([this, record = ports_.driver.record(open.ended.endpoint), rollout = open.ended.id,
                          &original = known, known] {
    auto choice = find_(record, [&known](const std::string& endpoint, const std::string& version) {
      return known.ready(endpoint, version);
    });
    ports_.threads.loop([this, endpoint = record.endpoint, rollout, &original, choice = std::move(choice)]() mutable {
      Open* still = open_of(endpoint, rollout);
      if (still == nullptr) return;
      still->busy = false;
      still->due = ports_.clock.monotonic() + kTryAgainAfter;
      if (choice) take(*still, *choice, original);
    });
  });
}

void StandIn::take(Open& open, const services::ReturnChoice& choice, const KnownBackends& known) {
  const std::string endpoint = open.ended.endpoint;
  const std::string stable = open.ended.stable;
  const rollout::State* latest = ports_.driver.decided(endpoint);
  if (latest == nullptr || latest->id != open.latest || !is_down(open, known)) return;
  const auto ready = [&](const std::string& version) { return !version.empty() && known.ready(endpoint, version); };
  const std::string& version = ready(choice.version) ? choice.version : choice.instead;
  if (!ready(version)) return tell(open, choice);
  services::Destination target{version, choice.evidence};
  target.completes_rollback = true;
  const std::string reason = fmt::format("{} led to {}, which is not ready: {} takes its place. {}", open.ended.id,
                                         stable, version, choice.why);
  open.busy = true;
  ports_.driver.leave_stable(
      endpoint, target, rollout::kSelf, reason,
      [this, endpoint, id = open.ended.id](const Result<void>& result) { left(endpoint, id, result); });
}

void StandIn::left(const std::string& endpoint, const std::string& rollout, const Result<void>& result) {
  Open* open = open_of(endpoint, rollout);
  if (open == nullptr) return;
  open->busy = false;
  open->due = ports_.clock.monotonic() + kTryAgainAfter;
  const rollout::State* latest = ports_.driver.decided(endpoint);
  // It could not be stored, or what it led to went down on the way: another try. Anything else is others' decision.
  const bool failed = !result && latest != nullptr && latest->revert && latest->phase == rollout::Phase::kRolledBack;
  if (failed) open->latest = latest->id;
}

void StandIn::tell(Open& open, const services::ReturnChoice& choice) {
  if (std::exchange(open.told, true)) return;
  const audit::Draft draft{rollout::kSelf, "rollout.no_target", "endpoint " + open.ended.endpoint,
                           fmt::format("{} led to {}, which is not ready, and no version that served before it is. {}",
                                       open.ended.id, open.ended.stable, choice.why),
                           rollout::with_versions(open.ended, choice.evidence)};
  ports_.threads.storing([this, draft, endpoint = open.ended.endpoint, rollout = open.ended.id] {
    if (ports_.audit.append(draft)) {
      if (ports_.stored) ports_.stored();
      return;
    }
    ports_.threads.loop([this, endpoint, rollout] {
      if (Open* still = open_of(endpoint, rollout)) still->told = false;
    });
  });
}

}  // namespace backstay::monitor
