#include "sim/release_checker.hpp"

#include <algorithm>

#include "domain/registry/live_models.hpp"

namespace backstay::sim {

namespace {

using rollout::Phase;

// As rollout::DampingRule says; a run is shorter than any of its times.
constexpr std::ptrdiff_t kMostOfVersion = 3;
constexpr std::size_t kMostOfEndpoint = 6;

// As monitor::StandIn: and longer than any plan's ready_timeout here.
constexpr microseconds kSameIncident = seconds(30);
constexpr microseconds kTakesOverWithin = seconds(8);

}  // namespace

void fail(World& world, const std::string& promise, const std::string& what) {
  world.trace.line("BROKEN: {}: {}", promise, what);
  throw Violation{promise + ": " + what};
}

void ReleaseChecker::read_log() {
  const auto entries = world_.disk.ledger().read(read_up_to_ + 1, 10'000).value();
  for (const audit::Entry& entry : entries) {
    read_up_to_ = entry.sequence;
    const audit::Draft& draft = entry.draft;
    if (draft.action == "dependency.broken") broken_.push_back(entry);
    const auto taken = taken_back_.find(draft.subject.substr(draft.subject.find('@') + 1));
    if (taken == taken_back_.end()) continue;
    taken->second.measured |= draft.action == "scorecard.add";
    taken->second.judged |= draft.action == "gate.verdict";
  }
}

void ReleaseChecker::committed(const rollout::State& state, bool forced) {
  Endpoint& endpoint = endpoints_[state.endpoint];
  const bool again = endpoint.newest && endpoint.newest->id == state.id && endpoint.newest->revision >= state.revision;
  if (again) return;
  read_log();
  if (state.revision == 1 && !state.revert) check_start(state, forced);
  endpoint.newest = state;
  endpoint.stable_ready = endpoint.stable_not_ready = endpoint.standby_ready = std::nullopt;
  endpoint.recovered = false;
  const EndpointRecord record =
      world_.disk.ledger().endpoint(state.endpoint).value().value_or(EndpointRecord{state.endpoint, "", "", ""});
  endpoint.stable = record.stable;
  endpoint.standby = record.standby;
  if (rollout::is_final(state.phase)) take_end(state);
  if (state.endpoint == kEndpoint && rollout::is_final(state.phase)) take_losses(state);
  std::erase_if(lost_, [&](const Lost& lost) {
    const Endpoint& where = endpoints_[lost.endpoint];
    const bool candidate = where.newest && !rollout::is_final(where.newest->phase) &&
                           where.newest->candidate == lost.version && !where.newest->revert;
    return has_what_it_needs(lost.version) || (where.stable != lost.version && !candidate);
  });
}

void ReleaseChecker::check_start(const rollout::State& state, bool forced) const {
  const std::string& version = state.candidate;
  const auto taken = taken_back_.find(version);
  if (taken != taken_back_.end() && !(taken->second.measured && taken->second.judged))
    fail(world_, "what a guardrail took back is judged anew", state.id + " releases " + version);
  const std::vector<std::string>& all = endpoints_.at(state.endpoint).taken_back;
  const bool flaps = std::count(all.begin(), all.end(), version) >= kMostOfVersion || all.size() >= kMostOfEndpoint;
  if (flaps && !forced) fail(world_, "what flaps has to wait", state.id + " releases " + version);
  if (!has_what_it_needs(version)) fail(world_, "a release has what it needs", version + " is released without");
}

void ReleaseChecker::take_end(const rollout::State& state) {
  Endpoint& endpoint = endpoints_[state.endpoint];
  if (state.phase == Phase::kDone) {
    endpoint.served.insert(state.candidate);
    endpoint.left_by_hand.erase(state.candidate);
    if (!state.revert) taken_back_.erase(state.candidate);
    if (!state.revert || state.started_by == rollout::kSelf) return;
    endpoint.left_by_hand.insert(state.stable);
    endpoint.taken_back.push_back(state.stable);
    return;
  }
  const std::string& trigger = state.cause->trigger;
  if (trigger == "guardrail") taken_back_[state.candidate] = {};
  if (!state.revert && trigger != "not_ready" && trigger != "dependency")
    endpoint.taken_back.push_back(state.candidate);
}

void ReleaseChecker::take_losses(const rollout::State& state) {
  const bool left_by_return = state.phase == Phase::kDone && state.revert;
  if (!left_by_return && state.phase != Phase::kRolledBack) return;  // What moves on leaves others behind knowingly.
  const std::string& left = left_by_return ? state.stable : state.candidate;
  for (auto& [name, endpoint] : endpoints_) {
    if (name == kEndpoint) continue;
    std::vector<std::string> concerned{endpoint.stable};
    if (endpoint.newest && !rollout::is_final(endpoint.newest->phase)) concerned.push_back(endpoint.newest->candidate);
    for (const std::string& version : concerned) {
      if (version.empty()) continue;
      registry::Dependency needed;
      needed.version = world_.fleet.script(version).needs;
      if (needed.version.empty() || is_live(needed.version) || !registry::meets(needed, left)) continue;
      lost_.push_back({name, version, read_up_to_});
    }
  }
}

bool ReleaseChecker::is_live(const std::string& needs) const {
  const auto first = endpoints_.find(kEndpoint);
  if (first == endpoints_.end()) return true;  // Nothing is known of it.
  const Endpoint& endpoint = first->second;
  registry::Dependency needed;
  needed.version = needs;
  const bool moving = endpoint.newest && !rollout::is_final(endpoint.newest->phase);
  if (endpoint.stable.empty() && !moving) return true;
  return (!endpoint.stable.empty() && registry::meets(needed, endpoint.stable)) ||
         (moving && registry::meets(needed, endpoint.newest->candidate));
}

bool ReleaseChecker::has_what_it_needs(const std::string& version) const {
  const std::string& needs = world_.fleet.script(version).needs;
  return needs.empty() || is_live(needs);
}

void ReleaseChecker::after_event(const Server& server) {
  const microseconds now = world_.timeline.elapsed();
  const auto note = [now](std::optional<microseconds>& since, bool holds) {
    if (!holds) since.reset();
    if (holds && !since) since = now;
  };
  for (auto& [name, endpoint] : endpoints_) {
    if (!endpoint.newest || endpoint.newest->phase != Phase::kRolledBack) continue;
    const bool ready = server.known().ready(name, endpoint.stable);
    note(endpoint.stable_ready, ready);
    note(endpoint.stable_not_ready, !ready);
    note(endpoint.standby_ready, !endpoint.standby.empty() && server.known().ready(name, endpoint.standby));
    endpoint.recovered |= endpoint.stable_ready && now - *endpoint.stable_ready >= kSameIncident;
  }
}

bool ReleaseChecker::is_good(const Server& server, const std::string& name, const std::string& version) const {
  const Endpoint& endpoint = endpoints_.at(name);
  const auto taken = taken_back_.find(version);
  const bool open = taken != taken_back_.end() && !(taken->second.measured && taken->second.judged);
  return server.known().ready(name, version) && !open && has_what_it_needs(version) &&
         !endpoint.left_by_hand.contains(version);
}

void ReleaseChecker::check_choice(const Server& server, const std::string& name, const std::string& version) const {
  const auto known = endpoints_.find(name);
  if (known == endpoints_.end()) return;
  for (const std::string& former : known->second.served) {
    if (former == known->second.stable || !is_good(server, name, former)) continue;
    if (version.empty() || !is_good(server, name, version))
      fail(world_, "a return leads to a good version",
           fmt::format("{} goes to '{}', and {} is ready", name, version, former));
  }
}

bool ReleaseChecker::answered(const Lost& lost) const {
  return std::any_of(broken_.begin(), broken_.end(), [&](const audit::Entry& entry) {
    return entry.sequence > lost.log_size && entry.draft.subject == "endpoint " + lost.endpoint &&
           entry.draft.reason.find(lost.version) != std::string::npos;
  });
}

void ReleaseChecker::settled() {
  read_log();
  for (const Lost& lost : lost_)
    if (!answered(lost))
      fail(world_, "what needs a version goes with it", fmt::format("{} still serves {}", lost.endpoint, lost.version));
  for (const auto& [name, endpoint] : endpoints_) {
    const bool left_there = endpoint.newest && endpoint.newest->phase == Phase::kRolledBack &&
                            !endpoint.newest->revert && !endpoint.recovered;
    const auto lasts = [&](const std::optional<microseconds>& since) {
      return since && world_.timeline.elapsed() - *since >= kTakesOverWithin;
    };
    if (!left_there || !lasts(endpoint.stable_not_ready) || !lasts(endpoint.standby_ready)) continue;
    if (has_what_it_needs(endpoint.standby))
      fail(world_, "a rollback leads to what is ready",
           fmt::format("{} is left with {}, which is down, and {} is ready", name, endpoint.stable, endpoint.standby));
  }
}

}  // namespace backstay::sim
