#include "domain/rollout/rollout.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/rollout/progress.hpp"
#include "domain/rollout/transitions.hpp"

namespace backstay::rollout {

namespace {

using traffic::kWhole;
using traffic::Role;
using traffic::Split;

template <class... Ts>
struct overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
overloaded(Ts...) -> overloaded<Ts...>;

Split all_to(const std::string& version) {
  Split split;
  if (version.empty()) return split;
  split.arms = {{version, Role::kStable, kWhole}};
  split.fallback = version;
  return split;
}

Split shared(const State& state, std::uint32_t candidate_ppm, Role stable_role) {
  if (candidate_ppm >= kWhole) {
    // The former stable version keeps an arm without a share: what fails on the candidate is replayed there.
    Split split;
    split.arms = {{state.candidate, Role::kCandidate, kWhole}, {state.stable, stable_role, 0}};
    split.fallback = state.stable;
    return split;
  }
  Split split;
  split.arms = {{state.candidate, Role::kCandidate, candidate_ppm},
                {state.stable, stable_role, kWhole - candidate_ppm}};
  split.fallback = state.stable;
  return split;
}

Transition finish(const State& state, Timestamp now, const std::string& actor, const std::string& reason) {
  Transition out = change(state, {actor, "rollout.done", reason, "{}"});
  out.state.phase = Phase::kDone;
  out.state.paused = false;
  out.state.phase_since = now;
  out.stage_moves.push_back({state.candidate, "Production"});
  if (!state.stable.empty()) out.stage_moves.push_back({state.stable, "Archived"});
  out.after_commit.emplace_back(SetTraffic{split_of(out.state)});
  return out;
}

bool in_shadow(const State& state) {
  return state.phase == Phase::kStepping && state.plan.steps[state.step_index].kind == Step::Kind::kShadow;
}

/// Whether what is seen from now on is another experiment: mirrored copies and served requests are two, and what is
/// seen while a candidate warms up is stable's only. Canary steps and the watch continue one another.
bool evidence_begins(const State& state) {
  return state.phase == Phase::kWarming || in_shadow(state);
}

Effect evidence_of_next(const State& state) {
  if (evidence_begins(state)) return ResetGuardrails{};
  return RearmGuardrails{};
}

Transition enter_watching(const State& state, Timestamp now, const std::string& actor, const std::string& reason) {
  if (state.stable.empty() || state.plan.watch == milliseconds{0}) return finish(state, now, actor, reason);
  Transition out = change(state, {actor, "rollout.watch", reason, "{}"});
  out.state.phase = Phase::kWatching;
  out.state.paused = false;
  out.state.phase_since = now;
  out.state.samples = 0;
  out.after_commit.push_back(evidence_of_next(state));
  out.after_commit.emplace_back(SetTraffic{split_of(out.state)});
  return out;
}

Transition enter_step(const State& state, std::size_t index, Timestamp now) {
  if (index >= state.plan.steps.size()) {
    const char* why = state.revert           ? "{} is back."
                      : state.stable.empty() ? "{} is the endpoint's first version."
                                             : "{} passed every step.";
    return enter_watching(state, now, kSelf, fmt::format(fmt::runtime(why), state.candidate));
  }
  const Step& step = state.plan.steps[index];
  const bool shadow = step.kind == Step::Kind::kShadow;
  Transition out =
      change(state, {kSelf, "rollout.advance",
                     shadow ? fmt::format("{} gets a copy of {} of the requests.", state.candidate, percent(step.ppm))
                            : fmt::format("{} serves {} of the requests.", state.candidate, percent(step.ppm)),
                     "{}"});
  out.state.phase = Phase::kStepping;
  out.state.step_index = index;
  out.state.phase_since = now;
  out.state.samples = 0;
  out.after_commit.push_back(evidence_of_next(state));
  out.after_commit.emplace_back(SetTraffic{split_of(out.state)});
  return out;
}

Transition roll_back(const State& state, Timestamp now, Cause cause) {
  Transition out = change(state, {cause.actor, "rollout.rollback", cause.reason, cause.evidence});
  out.state.phase = Phase::kRolledBack;
  out.state.paused = false;
  out.state.phase_since = now;
  out.state.cause = std::move(cause);
  out.before_commit.emplace_back(SetTraffic{split_of(out.state)});
  out.after_commit.emplace_back(ReleaseBackend{state.candidate});
  return out;
}

Transition give_up(const State& state, Timestamp now) {
  const std::string limit = backstay::to_string(state.plan.ready_timeout);
  if (state.phase == Phase::kWarming)
    return roll_back(state, now,
                     {"not_ready", kSelf, fmt::format("{} was not ready within {}.", state.candidate, limit), "{}"});
  return roll_back(state, now,
                   {"backend_failed", kSelf, fmt::format("{} was not ready for {}.", state.candidate, limit), "{}"});
}

/// Begins the next step, unless the plan says that it must wait: for a person, who is asked once, or for the hour.
Transition go_on(const State& state, Timestamp now) {
  const std::size_t index = next_index(state);
  if (lacks_approval(state, index)) {
    if (state.asked > index) return unchanged(state);
    Transition out =
        change(state, {kSelf, "rollout.ask", fmt::format("Waits for an approval: {}.", step_text(state, index)), "{}"});
    out.state.asked = index + 1;
    return out;
  }
  if (state.plan.calendar.closed(now)) return unchanged(state);
  return enter_step(state, index, now);
}

/// For the record, once per step: what was required has been shown.
Transition note_proof(const State& state, const Proof& proof) {
  std::string numbers;
  for (const Shown& shown : state.shown)
    numbers += fmt::format(R"({}{{"log_e":{:.6g},"log_limit":{:.6g}}})", numbers.empty() ? "" : ",", shown.log_e,
                           shown.log_limit);
  Transition out = change(state, {kSelf, "rollout.require",
                                  fmt::format("{} has shown {}.", state.candidate, describe(proof, state.shown, false)),
                                  fmt::format(R"({{"shown":[{}]}})", numbers)});
  out.state.proven = index_of(state) + 1;
  return out;
}

Transition pause(const State& state, Note note) {
  if (state.paused) return unchanged(state);
  Transition out = change(state, std::move(note));
  out.state.paused = true;
  return out;
}

/// What the step requires does not hold: it waits, or has waited for too long.
Transition wait_for_proof(const State& state, const Proof& proof, Timestamp now) {
  if (!is_timed(state, proof, now) || now - evidence_since(state) < proof.within) return unchanged(state);
  const std::string reason = fmt::format("{} has not shown within {}: {}.", state.candidate,
                                         backstay::to_string(proof.within), describe(proof, state.shown, true));
  if (proof.otherwise == Proof::Otherwise::kPause) return pause(state, {kSelf, "rollout.pause", reason, "{}"});
  return roll_back(state, now, {"requirement", kSelf, reason, "{}"});
}

Transition on_tick(const State& state, const Tick& tick, Timestamp now) {
  Transition out = unchanged(state);
  out.state.samples = tick.samples;
  out.state.shown = tick.shown;
  const bool up = state.candidate_ready && tick.candidate_up;
  if (up && state.away && state.phase != Phase::kWarming) out.state.phase_since += now - state.last_up;
  if (up) out.state.last_up = now;
  out.state.away = !up;
  if (now - out.state.last_up >= state.plan.ready_timeout) return give_up(state, now);
  if (state.paused || !up || !tick.settled) return out;
  if (state.phase == Phase::kWarming) return go_on(out.state, now);
  const Proof& proof = state.plan.proof_of(index_of(state));
  const bool holds = proof.holds(tick.shown);
  if (holds && !proof.require.empty() && state.proven <= index_of(state)) return note_proof(out.state, proof);
  const auto since = now - state.phase_since;
  const bool watching = state.phase == Phase::kWatching;
  const milliseconds least = watching ? state.plan.watch : state.plan.steps[state.step_index].min_duration;
  const std::uint64_t enough = watching ? 0 : state.plan.steps[state.step_index].min_samples;
  if (!holds) return wait_for_proof(out.state, proof, now);
  if (since < least || tick.samples < enough) return out;
  if (!watching) return go_on(out.state, now);
  if (state.plan.calendar.closed(now)) return out;
  return finish(out.state, now, kSelf, fmt::format("{} held through the watch.", state.candidate));
}

Transition on_ready(const State& state, Timestamp now) {
  if (state.candidate_ready) return unchanged(state);
  State ready = state;
  ready.candidate_ready = true;
  ready.last_up = now;
  if (state.phase == Phase::kWarming) {
    // A paused rollout goes on with the first tick after it is resumed. Nothing holds up the return to a standby.
    if (state.paused && !state.revert) return unchanged(ready);
    return state.revert ? enter_step(ready, 0, now) : go_on(ready, now);
  }
  // Back after a restart of the server: the share it had before. How long nobody looked is not known: the step's time
  // begins anew.
  ready.phase_since = ready.evidence_since = now;
  ready.away = false;
  Transition out = change(ready, {kSelf, "rollout.resume_traffic",
                                  fmt::format("{} is ready again and gets its share back.", state.candidate), "{}"});
  out.after_commit.emplace_back(SetTraffic{split_of(out.state)});
  return out;
}

Transition on_clock_set(const State& state, const ClockSet& event) {
  const auto by = std::chrono::duration_cast<milliseconds>(std::chrono::abs(event.by));
  Transition out =
      change(state, {kSelf, "rollout.clock_set",
                     fmt::format("The machine's clock was set {} {}: the times of this rollout go with it.",
                                 backstay::to_string(by), event.by.count() > 0 ? "ahead" : "back"),
                     "{}"});
  out.state.started_at += event.by;
  out.state.phase_since += event.by;
  out.state.last_up += event.by;
  if (out.state.evidence_since != Timestamp{}) out.state.evidence_since += event.by;
  return out;
}

/// Freezes of the endpoint's that the rollout did not begin with: someone wants it to stand still.
void take_freezes(Transition& out, const Calendar& endpoint) {
  Calendar& own = out.state.plan.calendar;
  bool news = false;
  for (const Freeze& freeze : endpoint.freezes) {
    if (std::find(own.freezes.begin(), own.freezes.end(), freeze) != own.freezes.end()) continue;
    own.freezes.push_back(freeze);
    news = true;
  }
  if (!own.hours && endpoint.hours) {
    own.hours = endpoint.hours;
    news = true;
  }
  if (!news) return;
  Transition noted = change(out.state, {kSelf, "rollout.calendar",
                                        "The server was started again with hours or freezes that the rollout did not "
                                        "know: they hold from now on.",
                                        "{}"});
  noted.notes.insert(noted.notes.begin(), out.notes.begin(), out.notes.end());
  out = std::move(noted);
}

Transition on_restarted(const State& state, const Restarted& event, Timestamp now) {
  const bool other_policy = !state.policy.empty() && !event.policy.empty() && state.policy != event.policy;
  Transition out = other_policy
                       ? change(state, {kSelf, "rollout.policy",
                                        "The server was started again with other guardrails: they decide from now on.",
                                        event.evidence})
                       : unchanged(state);
  if (other_policy) out.state.policy = event.policy;
  // A return, and a first deployment, wait for no hours.
  if (!state.revert && !state.stable.empty()) take_freezes(out, event.calendar);
  out.state.candidate_ready = false;
  out.state.last_up = now;
  if (state.phase != Phase::kWarming) out.state.evidence_since = now;
  if (!state.stable.empty()) out.after_commit.emplace_back(EnsureBackend{state.stable});
  out.after_commit.emplace_back(EnsureBackend{state.candidate});
  // Stable's traffic waits for nothing, and the candidate has none yet.
  out.after_commit.emplace_back(SetTraffic{split_of(out.state)});
  if (other_policy) {
    out.after_commit.emplace_back(ResetGuardrails{});
  } else {
    out.after_commit.emplace_back(RestoreGuardrails{});
  }
  return out;
}

Transition on_promote(const State& state, const Promote& event, Timestamp now) {
  if (!state.candidate_ready) return unchanged(state);
  if (state.phase == Phase::kWatching) return finish(state, now, event.actor, event.reason);
  return enter_watching(state, now, event.actor, event.reason);
}

}  // namespace

const char* to_string(Phase phase) {
  switch (phase) {
    case Phase::kWarming: return "warming";
    case Phase::kStepping: return "stepping";
    case Phase::kWatching: return "watching";
    case Phase::kDone: return "done";
    case Phase::kRolledBack: return "rolled_back";
  }
  return "warming";
}

std::size_t new_epoch(const State& state) {
  return state.phase == Phase::kWarming ? 0 : index_of(state) + 1;
}

std::size_t evidence_epoch(const State& state) {
  if (state.phase == Phase::kWarming) return 0;
  std::size_t first = index_of(state);
  while (first > 0 && state.plan.steps[first - 1].kind == Step::Kind::kCanary) --first;
  return first + 1;
}

Split split_of(const State& state) {
  if (state.phase == Phase::kDone) return all_to(state.candidate);
  if (state.phase == Phase::kRolledBack || state.phase == Phase::kWarming || !state.candidate_ready)
    return all_to(state.stable);
  if (state.phase == Phase::kWatching)
    return shared(state, kWhole - state.plan.holdback_ppm,
                  state.plan.holdback_ppm > 0 ? Role::kHoldback : Role::kStable);
  const Step& step = state.plan.steps[state.step_index];
  if (step.kind == Step::Kind::kCanary) return shared(state, step.ppm, Role::kStable);
  Split split = all_to(state.stable);
  split.shadow = state.candidate;
  split.shadow_ppm = step.ppm;
  return split;
}

Transition start(State fresh, Timestamp now, const std::string& actor, const std::string& reason,
                 const std::string& evidence) {
  fresh.phase = Phase::kWarming;
  fresh.candidate_ready = false;
  fresh.step_index = 0;
  fresh.samples = 0;
  fresh.approved = fresh.asked = fresh.proven = 0;
  fresh.shown.clear();
  fresh.evidence_since = {};
  fresh.started_by = actor;
  fresh.started_at = fresh.phase_since = fresh.last_up = now;
  fresh.revision = 0;
  if (fresh.stable.empty()) {
    // There is nothing to compare a first deployment with, and nothing that it could disturb.
    fresh.plan.steps.clear();
    fresh.plan.proof = {};
    fresh.plan.approve_promotion = false;
    fresh.plan.calendar = {};
  }
  Transition out = change(fresh, {actor, fresh.revert ? "rollout.revert" : "rollout.start", reason, evidence});
  out.after_commit.emplace_back(EnsureBackend{fresh.candidate});
  out.after_commit.emplace_back(ResetGuardrails{});  // What is shown while it warms up is its own.
  return out;
}

Transition step(const State& state, const Event& event, Timestamp now) {
  if (is_final(state.phase)) return unchanged(state);
  return std::visit(
      overloaded{
          [&](const Tick& tick) { return on_tick(state, tick, now); },
          [&](const CandidateReady&) { return on_ready(state, now); },
          [&](const CandidateFailed& failed) {
            const bool served = state.phase != Phase::kWarming;
            return roll_back(state, now, {served ? "backend_failed" : "not_ready", kSelf, failed.reason, "{}"});
          },
          [&](const Breach& breach) {
            return roll_back(state, now, {"guardrail", kSelf, breach.reason, breach.evidence});
          },
          [&](const PauseBreach& breach) {
            return pause(state, {kSelf, "rollout.pause", breach.reason, breach.evidence});
          },
          [&](const RollBack& order) {
            return roll_back(state, now, {"manual", order.actor, order.reason, "{}"});
          },
          [&](const DependencyLost& lost) {
            return roll_back(state, now, {"dependency", kSelf, lost.reason, lost.evidence});
          },
          [&](const Pause& order) {
            return pause(state, {order.actor, "rollout.pause", order.reason, "{}"});
          },
          [&](const Resume& order) {
            if (!state.paused) return unchanged(state);
            Transition out = change(state, {order.actor, "rollout.resume", order.reason, "{}"});
            out.state.paused = false;
            out.state.phase_since = now;  // The time it stood still doesn't count.
            return out;
          },
          [&](const Approve& order) { return approve(state, order); },
          [&](const Promote& order) { return on_promote(state, order, now); },
          [&](const ClockSet& set) { return on_clock_set(state, set); },
          [&](const Restarted& back) { return on_restarted(state, back, now); },
      },
      event);
}

std::string with_versions(const State& state, std::string evidence) {
  // Versions and ids hold no character that JSON would escape.
  const std::string which =
      fmt::format(R"("from":"{}","rollout":"{}","to":"{}")", state.stable, state.id, state.candidate);
  if (evidence.size() > 2 && evidence.front() == '{') return evidence.insert(1, which + ",");
  return "{" + which + "}";
}

}  // namespace backstay::rollout
