#include "services/drive_rollout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/digest.hpp"

namespace backstay::services {

namespace {

constexpr milliseconds kFirstRetry{50};
constexpr milliseconds kLongestRetry{5'000};

bool under_way(const std::optional<rollout::State>& state) {
  return state && !rollout::is_final(state->phase);
}

void answer(const RolloutDriver::Done& done, Result<void> result) {
  if (done) done(std::move(result));
}

RolloutDriver::Done both(RolloutDriver::Done first, RolloutDriver::Done second) {
  if (!second) return first;
  return [first = std::move(first), second = std::move(second)](const Result<void>& result) {
    answer(first, result);
    answer(second, result);
  };
}

/// What an operator who asked for the return to another version is told at its end.
Result<void> outcome_of(const rollout::State& ended) {
  if (ended.phase == rollout::Phase::kDone) return {};
  return Unexpected(
      ErrorCode::kUnavailable,
      fmt::format("{} could not be brought back. {}", ended.candidate, ended.cause ? ended.cause->reason : ""),
      fmt::format("{} still serves; see the logs of {}'s backend.", ended.stable, ended.candidate));
}

milliseconds retry_delay(unsigned failures) {
  return std::min(kLongestRetry, kFirstRetry * (1 << std::min(failures, 10u)));
}

/// Why a candidate is not to be tried again without another look at what is known of it; empty: it may.
std::string taken_back_by_a_guardrail(const rollout::State& ended, const std::string& candidate) {
  const bool same = ended.phase == rollout::Phase::kRolledBack && ended.candidate == candidate;
  return same && ended.cause && ended.cause->trigger == "guardrail" ? ended.cause->reason : "";
}

/// A version that warms up serves everything at once, and nothing is held back.
rollout::Plan plan_of_return(milliseconds ready_timeout) {
  rollout::Plan plan = rollout::blue_green_plan();
  plan.watch = milliseconds{0};
  plan.holdback_ppm = 0;
  plan.ready_timeout = ready_timeout;
  return plan;
}

}  // namespace

namespace {

std::string digest_of(const std::string& policy) {
  return policy.empty() ? "" : sha256(policy).hex();
}

/// What the log says of how a release is decided.
std::string evidence_of(const std::string& policy, bool forced) {
  std::string out = forced ? R"({"forced":true)" : "{";
  if (!policy.empty())
    out += fmt::format(R"({}"policy":{},"policy_sha256":"{}")", forced ? "," : "", policy, digest_of(policy));
  return out + "}";
}

}  // namespace

bool is_rolled_back(const rollout::State& latest, Timestamp now) {
  constexpr std::chrono::minutes kSameOrder{15};
  // What ended later than now ended before the clock was set back, nobody knows how long ago.
  if (std::chrono::abs(now - latest.phase_since) > kSameOrder) return false;
  if (latest.phase == rollout::Phase::kRolledBack) return !latest.revert;
  return latest.phase == rollout::Phase::kDone && latest.revert && latest.started_by != rollout::kSelf;
}

void RolloutDriver::load(const EndpointRecord& record, const std::optional<rollout::State>& latest,
                         std::uint64_t next_number, milliseconds ready_timeout, const std::string& policy,
                         const rollout::Calendar& calendar) {
  Endpoint& endpoint = endpoints_[record.endpoint];
  endpoint = Endpoint{};
  endpoint.record = record;
  endpoint.ready_timeout = ready_timeout;
  endpoint.next_number = next_number;
  endpoint.rollout = latest;
  if (!record.standby.empty()) world_.ensure_backend(record.endpoint, record.standby);
  if (under_way(latest)) {
    rollout::Transition restarted = rollout::step(
        *latest, rollout::Restarted{digest_of(policy), evidence_of(policy, false), calendar}, clock_.now());
    // What it was is what traffic and backends are brought to: that waits for no store.
    for (const rollout::Effect& effect : std::exchange(restarted.after_commit, {})) perform(record.endpoint, effect);
    apply(endpoint, std::move(restarted), {});
    return;
  }
  if (record.stable.empty()) return;
  world_.ensure_backend(record.endpoint, record.stable);
  world_.set_traffic(record.endpoint,
                     traffic::Split{{{record.stable, traffic::Role::kStable, traffic::kWhole}}, record.stable, "", 0});
}

void RolloutDriver::start(const std::string& name, const std::string& candidate, const rollout::Plan& plan,
                          const ReleaseOrder& order, Done done) {
  Endpoint& endpoint = endpoints_.at(name);
  if (under_way(endpoint.rollout))
    return answer(done, Unexpected(ErrorCode::kConflict,
                                   fmt::format("Endpoint '{}' has a rollout under way: {} to {}.", name,
                                               endpoint.rollout->id, endpoint.rollout->candidate),
                                   "Wait for it, or take it back with backstay rollback."));
  if (!endpoint.pending.empty()) {
    // Its end is decided and not durable yet: a store in trouble is told of, a busy one is waited for.
    if (!endpoint.trouble.empty())
      return answer(
          done, Unexpected(ErrorCode::kUnavailable,
                           fmt::format("The end of {} is not stored yet: {}", endpoint.rollout->id, endpoint.trouble),
                           "Backstay keeps trying: see to the data directory's disk, then say it again."));
    endpoint.after_write.emplace_back([=, this, done = std::move(done)] {
      const Endpoint& now = endpoints_.at(name);
      const std::string why = now.rollout ? taken_back_by_a_guardrail(*now.rollout, candidate) : "";
      if (why.empty()) return start(name, candidate, plan, order, done);
      answer(done,
             Unexpected(
                 ErrorCode::kConflict,
                 fmt::format("{} took {} back while this order was on its way: {}", now.rollout->id, candidate, why),
                 "Look at backstay why. It needs a new measurement and a new verdict, or a fix in a new version."));
    });
    return;
  }
  // The caller's look at the store may be older than the end of the last rollout.
  if (candidate == endpoint.record.stable)
    return answer(done,
                  Unexpected(ErrorCode::kConflict, fmt::format("Endpoint '{}' serves {} already.", name, candidate),
                             "There is nothing to roll out; name another version."));
  rollout::State wanted;
  wanted.candidate = candidate;
  wanted.plan = plan;
  wanted.forced = order.forced;
  wanted.policy = digest_of(order.policy);
  begin(endpoint, std::move(wanted), order.actor, order.reason, evidence_of(order.policy, order.forced),
        std::move(done));
}

rollout::State RolloutDriver::return_of(const Endpoint& endpoint, const std::string& version) {
  rollout::State wanted;
  wanted.candidate = version;
  wanted.plan = plan_of_return(endpoint.ready_timeout);
  wanted.revert = true;
  return wanted;
}

void RolloutDriver::begin(Endpoint& endpoint, rollout::State fresh, const std::string& actor, const std::string& reason,
                          const std::string& evidence, Done done) {
  endpoint.completes_rollback.clear();
  fresh.id = fmt::format("{}-{}", endpoint.record.endpoint, endpoint.next_number++);
  fresh.endpoint = endpoint.record.endpoint;
  fresh.stable = endpoint.record.stable;
  apply(endpoint, rollout::start(fresh, clock_.now(), actor, reason, evidence), std::move(done));
}

void RolloutDriver::handle(const std::string& name, const rollout::Event& event, Done done) {
  Endpoint& endpoint = endpoints_.at(name);
  if (!under_way(endpoint.rollout))
    return answer(
        done, Unexpected(ErrorCode::kFailedPrecondition, fmt::format("Endpoint '{}' has no rollout under way.", name),
                         fmt::format("Start one with: backstay rollout start {} MODEL@VERSION", name)));
  if (std::holds_alternative<rollout::Promote>(event) && !endpoint.rollout->candidate_ready)
    return answer(done, Unexpected(ErrorCode::kFailedPrecondition,
                                   fmt::format("{} is not ready to serve yet.", endpoint.rollout->candidate),
                                   "Look at backstay status and promote it when its backend is ready."));
  follow_clock(endpoint);
  apply(endpoint, rollout::step(*endpoint.rollout, event, clock_.now()), std::move(done));
}

/// What slewing does to the time of day between two looks is far less.
void RolloutDriver::follow_clock(Endpoint& endpoint) {
  constexpr seconds kSet{2};
  const std::pair now{clock_.now(), clock_.monotonic()};
  const auto before = std::exchange(endpoint.clocks, now);
  if (!before || !under_way(endpoint.rollout)) return;
  const auto passed = std::chrono::duration_cast<microseconds>(now.second - before->second);
  const microseconds by = now.first - before->first - passed;
  if (std::chrono::abs(by) >= kSet)
    apply(endpoint, rollout::step(*endpoint.rollout, rollout::ClockSet{by}, now.first), {});
}

void RolloutDriver::roll_back(const std::string& name, const std::string& actor, const std::string& reason, Done done,
                              const Target& target) {
  Endpoint& endpoint = endpoints_.at(name);
  const bool end_is_stored = endpoint.pending.empty();
  if (endpoint.rollout && (under_way(endpoint.rollout) || !end_is_stored)) {
    if (endpoint.rollout->phase == rollout::Phase::kRolledBack) return answer_when_stored(endpoint, std::move(done));
    if (endpoint.rollout->revert) {
      // The same order again, not one to stay where we are.
      endpoint.on_final = both(std::move(endpoint.on_final), std::move(done));
      return;
    }
    if (endpoint.rollout->phase == rollout::Phase::kDone && !withdraw_end(endpoint)) {
      // Before any start that waits: what is to be left is what serves now.
      endpoint.after_write.insert(endpoint.after_write.begin(),
                                  [this, name, actor, reason, target, done = std::move(done)] {
                                    roll_back(name, actor, reason, done, target);
                                  });
      return;
    }
    apply(endpoint, rollout::step(*endpoint.rollout, rollout::RollBack{actor, reason}, clock_.now()), std::move(done));
    return;
  }
  // The same order again: what was to be left was left, and nobody meant to go further back.
  if (endpoint.rollout && was_ordered(endpoint)) return answer(done, {});
  if (endpoint.record.standby.empty() && target.version.empty())
    return answer(done, Unexpected(ErrorCode::kFailedPrecondition,
                                   fmt::format("Endpoint '{}' has no version to go back to.", name),
                                   fmt::format("Release one with: backstay rollout start {} MODEL@VERSION", name)));
  begin_return(endpoint, target, actor, reason, std::move(done));
}

bool RolloutDriver::was_ordered(const Endpoint& endpoint) const {
  rollout::State latest = *endpoint.rollout;
  // Whoever ordered the rollback is answered by what completed it.
  if (latest.id == endpoint.completes_rollback) latest.started_by.clear();
  return is_rolled_back(latest, clock_.now());
}

void RolloutDriver::leave_stable(const std::string& name, const Target& target, const std::string& actor,
                                 const std::string& reason, Done done) {
  Endpoint& endpoint = endpoints_.at(name);
  if (endpoint.rollout && endpoint.rollout->phase == rollout::Phase::kRolledBack && !endpoint.pending.empty()) {
    // A candidate went the same way: its end comes first. Before any start that waits.
    endpoint.after_write.insert(endpoint.after_write.begin(),
                                [this, name, target, actor, reason, done = std::move(done)] {
                                  leave_stable(name, target, actor, reason, done);
                                });
    return;
  }
  const bool busy = endpoint.rollout && (under_way(endpoint.rollout) || !endpoint.pending.empty());
  // It is on its way already, by an order of before a restart.
  if (busy && endpoint.rollout->revert && endpoint.rollout->stable == endpoint.record.stable &&
      endpoint.rollout->phase != rollout::Phase::kRolledBack)
    return answer_when_stored(endpoint, std::move(done));
  const bool returned =
      endpoint.rollout && endpoint.rollout->revert && endpoint.rollout->phase == rollout::Phase::kDone;
  if (busy || returned)
    return answer(done,
                  Unexpected(ErrorCode::kConflict,
                             busy ? fmt::format("{} is under way.", endpoint.rollout->id)
                                  : fmt::format("{} has just returned to {} itself.", name, endpoint.record.stable),
                             "See backstay status, and say which version is to serve."));
  begin_return(endpoint, target, actor, reason, std::move(done));
}

void RolloutDriver::return_to(const std::string& name, const std::string& version, const std::string& actor,
                              const std::string& reason, Done done) {
  Endpoint& endpoint = endpoints_.at(name);
  if (endpoint.rollout && (under_way(endpoint.rollout) || !endpoint.pending.empty())) {
    const std::string& back = endpoint.rollout->revert ? endpoint.rollout->candidate : endpoint.rollout->stable;
    if (version == back) return roll_back(name, actor, reason, std::move(done));
    return answer(done, Unexpected(ErrorCode::kConflict,
                                   fmt::format("{} is under way, and its rollback returns to {}.", endpoint.rollout->id,
                                               back.empty() ? "nothing" : back),
                                   "Roll it back first, without --to; then say where to go."));
  }
  const EndpointRecord& record = endpoint.record;
  if (version == record.stable) return answer(done, {});
  if (version != record.standby || version.empty())
    return answer(done, Unexpected(ErrorCode::kFailedPrecondition,
                                   fmt::format("{} is not kept warm at '{}'; {}.", version, name,
                                               record.standby.empty() ? "no version is" : record.standby + " is"),
                                   fmt::format("Bring it back like any other: backstay rollout start {} {}@{} "
                                               "--blue-green",
                                               name, record.model, version)));
  begin_return(endpoint, {version}, actor, reason, std::move(done));
}

void RolloutDriver::begin_return(Endpoint& endpoint, const Target& target, const std::string& actor,
                                 const std::string& reason, Done done) {
  endpoint.on_final = std::move(done);
  endpoint.second_try.reset();
  if (!target.instead.empty()) endpoint.second_try = SecondTry{target.instead, actor, reason};
  begin(endpoint, return_of(endpoint, target.version.empty() ? endpoint.record.standby : target.version), actor, reason,
        target.evidence, {});
  if (target.completes_rollback) endpoint.completes_rollback = endpoint.rollout->id;
}

bool RolloutDriver::try_instead(Endpoint& endpoint, const rollout::State& ended) {
  const std::optional<SecondTry> other = std::exchange(endpoint.second_try, {});
  const bool failed = ended.revert && ended.phase == rollout::Phase::kRolledBack;
  if (!failed || !other || other->version == endpoint.record.stable) return false;
  // Versions and ids hold no character that JSON would escape.
  begin(endpoint, return_of(endpoint, other->version), other->actor, other->reason,
        fmt::format(R"({{"chosen":"{}","because_failed":"{}"}})", other->version, ended.id), {});
  return true;
}

bool RolloutDriver::withdraw_end(Endpoint& endpoint) {
  const bool being_written = endpoint.committing && endpoint.pending.size() == 1;
  if (being_written) return false;
  const Pending end = std::move(endpoint.pending.back());
  endpoint.pending.pop_back();
  if (endpoint.pending.empty()) endpoint.retry_at.reset();
  endpoint.rollout = end.before;
  answer(end.done, Unexpected(ErrorCode::kConflict,
                              fmt::format("{} was taken back before its end could be stored.", end.before->id)));
  return true;
}

void RolloutDriver::tick(const std::string& name, const rollout::Tick& tick) {
  Endpoint& endpoint = endpoints_.at(name);
  if (endpoint.retry_at && clock_.monotonic() >= *endpoint.retry_at) {
    endpoint.retry_at.reset();
    commit_next(endpoint);
  }
  follow_clock(endpoint);
  if (!under_way(endpoint.rollout)) return;
  rollout::Tick seen = tick;
  seen.settled = endpoint.pending.empty();
  apply(endpoint, rollout::step(*endpoint.rollout, seen, clock_.now()), {});
}

const rollout::State* RolloutDriver::latest(const std::string& name) const {
  const Endpoint& endpoint = endpoints_.at(name);
  const bool in_force = endpoint.pending.empty() || endpoint.rollout->phase == rollout::Phase::kRolledBack;
  const std::optional<rollout::State>& state = in_force ? endpoint.rollout : endpoint.pending.front().before;
  return state ? &*state : nullptr;
}

const rollout::State* RolloutDriver::decided(const std::string& name) const {
  const Endpoint& endpoint = endpoints_.at(name);
  return endpoint.rollout ? &*endpoint.rollout : nullptr;
}

const rollout::State* RolloutDriver::active(const std::string& name) const {
  const Endpoint& endpoint = endpoints_.at(name);
  return under_way(endpoint.rollout) ? &*endpoint.rollout : nullptr;
}

std::string RolloutDriver::trouble(const std::string& name) const {
  return endpoints_.at(name).trouble;
}

void RolloutDriver::perform(const std::string& name, const rollout::Effect& effect) {
  if (const auto* set = std::get_if<rollout::SetTraffic>(&effect)) {
    world_.set_traffic(name, set->split);
  } else if (const auto* ensure = std::get_if<rollout::EnsureBackend>(&effect)) {
    world_.ensure_backend(name, ensure->version);
  } else if (const auto* release = std::get_if<rollout::ReleaseBackend>(&effect)) {
    // A candidate that was taken back may be the standby version: that is kept warm.
    const EndpointRecord& record = endpoints_.at(name).record;
    if (release->version != record.stable && release->version != record.standby)
      world_.release_backend(name, release->version);
  } else if (std::holds_alternative<rollout::RearmGuardrails>(effect)) {
    world_.rearm_guardrails(name);
  } else if (std::holds_alternative<rollout::RestoreGuardrails>(effect)) {
    world_.restore_guardrails(name);
  } else {
    world_.reset_guardrails(name);
  }
}

void RolloutDriver::apply(Endpoint& endpoint, rollout::Transition transition, Done done) {
  std::optional<rollout::State> before = std::exchange(endpoint.rollout, transition.state);
  if (!transition.changed) {
    answer_when_stored(endpoint, std::move(done));
    return;
  }
  for (const rollout::Effect& effect : transition.before_commit) perform(endpoint.record.endpoint, effect);
  endpoint.pending.push_back({std::move(transition), std::move(before), std::move(done)});
  if (!endpoint.committing && !endpoint.retry_at) commit_next(endpoint);
}

void RolloutDriver::answer_when_stored(Endpoint& endpoint, Done done) {
  if (endpoint.pending.empty()) return answer(done, {});
  Done& last = endpoint.pending.back().done;
  last = both(std::move(last), std::move(done));
}

void RolloutDriver::commit_next(Endpoint& endpoint) {
  endpoint.committing = true;
  const std::string name = endpoint.record.endpoint;
  commits_.submit(endpoint.pending.front().transition, endpoint.record.model,
                  [this, name](const Result<void>& result) { committed(name, result); });
}

void RolloutDriver::committed(const std::string& name, const Result<void>& result) {
  Endpoint& endpoint = endpoints_.at(name);
  endpoint.committing = false;
  if (result) {
    stored(endpoint);
  } else {
    not_stored(endpoint, result);
  }
  for (const auto& next : std::exchange(endpoint.after_write, {})) next();
  if (!endpoint.pending.empty() && !endpoint.committing && !endpoint.retry_at) commit_next(endpoint);
}

void RolloutDriver::stored(Endpoint& endpoint) {
  endpoint.trouble.clear();
  endpoint.failures = 0;
  const Pending front = std::move(endpoint.pending.front());
  endpoint.pending.pop_front();
  const rollout::State& state = front.transition.state;
  after_commit(endpoint, front.transition);
  // Whoever is answered may start the next rollout, which has an end of its own to wait for.
  Done on_final;
  const bool over = rollout::is_final(state.phase) && !try_instead(endpoint, state);
  if (over) on_final = std::exchange(endpoint.on_final, {});
  answer(front.done, {});
  answer(on_final, outcome_of(state));
}

void RolloutDriver::not_stored(Endpoint& endpoint, const Result<void>& result) {
  if (endpoint.pending.front().transition.state.revision > 1) {
    // The decision stands, traffic follows it; the store gets it as soon as it can.
    endpoint.trouble = result.error().message;
    endpoint.retry_at = clock_.monotonic() + retry_delay(endpoint.failures++);
    return;
  }
  // A rollout that was never stored never was.
  std::deque<Pending> dropped;
  dropped.swap(endpoint.pending);
  endpoint.rollout = dropped.front().before;
  --endpoint.next_number;
  for (const Pending& pending : dropped) answer(pending.done, result);
  answer(std::exchange(endpoint.on_final, {}), result);
}

void RolloutDriver::after_commit(Endpoint& endpoint, const rollout::Transition& transition) {
  const rollout::State& state = transition.state;
  // A rollback that was decided since has the last word on traffic.
  const bool overtaken =
      endpoint.rollout->phase == rollout::Phase::kRolledBack && state.phase != rollout::Phase::kRolledBack;
  if (overtaken) return;
  for (const rollout::Effect& effect : transition.after_commit) perform(state.endpoint, effect);
  if (state.phase != rollout::Phase::kDone) return;
  const EndpointRecord before = endpoint.record;
  endpoint.record = endpoint_after(state, before.model);
  for (const std::string& version : {before.stable, before.standby}) {
    if (!version.empty() && version != endpoint.record.stable && version != endpoint.record.standby)
      world_.release_backend(state.endpoint, version);
  }
}

}  // namespace backstay::services
