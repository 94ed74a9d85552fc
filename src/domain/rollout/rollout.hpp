#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "domain/rollout/plan.hpp"
#include "domain/traffic/split.hpp"

/// The rollout as a pure function: step(state, event) -> state and effects. No clock, no I/O; every event carries its
/// time. The same function runs in the server (services/drive_rollout) and in the simulation (sim/).
namespace backstay::rollout {

/// Who acts when nobody gave an order.
inline constexpr const char* kSelf = "backstay";

enum class Phase : std::uint8_t {
  kWarming,     ///< The candidate's backend is starting; it gets no traffic.
  kStepping,    ///< In plan.steps[step_index].
  kWatching,    ///< Candidate serves all but the holdback.
  kDone,        ///< Candidate is the stable version.
  kRolledBack,  ///< Candidate at 0%, stable serves everything. Final.
};
const char* to_string(Phase phase);
inline bool is_final(Phase phase) {
  return phase == Phase::kDone || phase == Phase::kRolledBack;
}

/// Why a rollout was rolled back. `trigger` is one of "guardrail", "manual", "not_ready" (it never got as far as
/// serving), "backend_failed", "requirement" (what a step requires was not shown in time), "dependency" (what it needs
/// was rolled back).
struct Cause {
  std::string trigger;
  std::string actor;     ///< "backstay" or a person.
  std::string reason;    ///< A sentence.
  std::string evidence;  ///< JSON, opaque here; "{}" when there is none.
  bool operator==(const Cause&) const = default;
};

/// Everything a rollout is. Written to the store as a whole at each transition, together with its audit entries.
struct State {
  std::string id;  ///< "diagnosis-7": endpoint and number.
  std::string endpoint;
  std::string stable;  ///< Version; empty for the first deployment of an endpoint (which then has one step to 100%).
  std::string candidate;
  Plan plan;
  Phase phase = Phase::kWarming;
  bool candidate_ready = false;  ///< False again after a restart, until its backend has been seen ready.
  bool paused = false;
  bool revert = false;  ///< A return to a former version: the version it leaves isn't kept as a standby.
  bool forced = false;  ///< Whoever started it answers for it: damping does not hold it back; not stored.
  std::string
      started_by;  ///< A person, or kSelf: what the version needs was rolled back. Empty: of before it was kept.
  std::size_t step_index = 0;
  std::string policy;  ///< SHA-256 of the guardrails that decide, as the log has them; empty: of before it was kept.
  Timestamp started_at;
  /// When the phase or step was entered. Time in which the candidate was away, or the rollout stood still, is not the
  /// step's: this moves on by it, and a restart of the server has the step's time begin anew.
  Timestamp phase_since;
  Timestamp last_up;           ///< When the candidate was last ready, or began to be waited for.
  bool away = false;           ///< Its backend was not ready when it was last looked at; not stored.
  std::uint64_t samples = 0;   ///< Candidate outcomes in this step, as of the last event that told.
  std::size_t approved = 0;    ///< Steps with a smaller index may begin: a person said so. plan.steps.size() + 1: all.
  std::size_t asked = 0;       ///< A person was asked for the approval of steps below this.
  std::size_t proven = 0;      ///< Steps with a smaller index have shown what they require; it is in the audit log.
  std::vector<Shown> shown{};  ///< Of what this step requires, as of the last event that told; not stored.
  Timestamp evidence_since{};  ///< When a restart had what `within` is about begin anew; not stored.
  std::uint64_t revision = 0;  ///< Counts transitions: the store's compare-and-set and the idempotency key of effects.
  std::optional<Cause> cause;  ///< Set when rolled back.
  bool operator==(const State&) const = default;
};

// --- events
// -------------------------------------------------------------------------------------------------------------------
struct Tick {                  ///< Time passed.
  std::uint64_t samples = 0;   ///< Candidate outcomes since the step began.
  bool candidate_up = true;    ///< Its backend is ready now; a rollout goes on with such a one only.
  std::vector<Shown> shown{};  ///< Of what the step requires (Proof::require), in its order.
  /// What was decided last is durable and in force. Until then traffic and evidence are those of before: nothing is
  /// judged by them.
  bool settled = true;
};
struct CandidateReady {};
struct CandidateFailed {  ///< The backend gave up, or was lost for good.
  std::string reason;
};
struct Breach {  ///< A guardrail with action rollback crossed its limit.
  std::string guardrail;
  std::string reason;
  std::string evidence;
};
struct PauseBreach {  ///< A guardrail with action pause crossed its limit.
  std::string guardrail;
  std::string reason;
  std::string evidence;
};
struct RollBack {  ///< A person or an outside alert asks for it. Idempotent, always allowed before the end.
  std::string actor;
  std::string reason;
};
struct DependencyLost {  ///< Something that the candidate needs was rolled back elsewhere.
  std::string reason;
  std::string evidence;
};
struct Pause {
  std::string actor;
  std::string reason;
};
struct Resume {
  std::string actor;
  std::string reason;
};
struct Approve {  ///< The next step that takes a person's approval may begin, as soon as its time has come. Saying it
                  ///< twice approves nothing else.
  std::string actor;
  std::string reason;
};
struct Promote {  ///< Fast track: skip what is left of the steps, approvals and closed hours too.
  std::string actor;
  std::string reason;
};
struct ClockSet {  ///< The machine's time of day was set: the rollout's own times go with it, or a step would end at
                   ///< once, or never.
  microseconds by{0};
};
struct Restarted {         ///< The server came back and loaded this state: emit again what makes the world match it.
  std::string policy{};    ///< As State::policy, of the guardrails that decide from now on.
  std::string evidence{};  ///< JSON: them.
  Calendar calendar{};     ///< The endpoint's. Freezes that the rollout does not know hold from now on.
};
using Event = std::variant<Tick, CandidateReady, CandidateFailed, Breach, PauseBreach, RollBack, DependencyLost, Pause,
                           Resume, Approve, Promote, ClockSet, Restarted>;

// --- effects: idempotent, replayable
// ------------------------------------------------------------------------------------------
/// Publish this split for the endpoint.
struct SetTraffic {
  traffic::Split split;
  bool operator==(const SetTraffic&) const = default;
};
/// Have a warm, healthy backend for the version.
struct EnsureBackend {
  std::string version;
  bool operator==(const EnsureBackend&) const = default;
};
/// The version is no longer needed behind this endpoint (in-flight requests finish first).
struct ReleaseBackend {
  std::string version;
  bool operator==(const ReleaseBackend&) const = default;
};
/// Start the guardrails' evidence anew (entering a phase whose baseline differs).
struct ResetGuardrails {
  bool operator==(const ResetGuardrails&) const = default;
};
/// A further step of the same experiment: guardrails that flag or pause, and have, look anew. Those that take back keep
/// their evidence.
struct RearmGuardrails {
  bool operator==(const RearmGuardrails&) const = default;
};
/// After a restart of the server: have the guardrails see again what was recorded since the evidence began (see
/// evidence_epoch()). Where that was not recorded, or for other guardrails, it begins anew.
struct RestoreGuardrails {
  bool operator==(const RestoreGuardrails&) const = default;
};
using Effect =
    std::variant<SetTraffic, EnsureBackend, ReleaseBackend, ResetGuardrails, RearmGuardrails, RestoreGuardrails>;

/// A change of the registry that commits with the state.
struct StageMove {
  std::string version;
  std::string stage;  ///< "Production", "Archived" or "Staging"
  bool operator==(const StageMove&) const = default;
};

/// One line for the audit log, without the place in the chain.
struct Note {
  std::string actor;
  std::string action;  ///< "rollout.start", "rollout.advance", "rollout.rollback", ...
  std::string reason;
  std::string evidence;
  bool operator==(const Note&) const = default;
};

/// What step() decided. The driver's order is fixed: `before_commit` effects, then {state, notes, stage_moves} in one
/// transaction, then `after_commit` effects. Taking traffic away from a candidate (rollback) is before commit: it must
/// not wait for a disk. Giving traffic is after commit: nothing is served that the store does not know of.
struct Transition {
  State state;
  bool changed = false;  ///< False: nothing to store, no effects (a Tick that changes only `samples` is not stored).
  std::vector<Effect> before_commit;
  std::vector<Note> notes;
  std::vector<StageMove> stage_moves;
  std::vector<Effect> after_commit;
};

/// A new rollout's first transition (state with revision 1, its note, and the wish for a warm candidate). `fresh` has
/// id, endpoint, stable, candidate and plan.
///
/// `evidence` is a JSON object for the note.
Transition start(State fresh, Timestamp now, const std::string& actor, const std::string& reason,
                 const std::string& evidence = "{}");

Transition step(const State& state, const Event& event, Timestamp now);

/// An entry's evidence, a JSON object, with the rollout and its versions in it.
std::string with_versions(const State& state, std::string evidence);

/// Whether an approval would approve anything: the next step that needs one, once; kConflict says why not. Who says it
/// again when the step has begun does not mean the next one: that has to be asked for first.
Result<void> can_approve(const State& state);

/// What the rollout waits for, a sentence; empty when it is over.
std::string waiting_for(const State& state, Timestamp now);

/// Which of a rollout's experiments its guardrails look at, as a number that grows: what is seen while the candidate
/// warms up is 0; shadow steps and canary steps are two experiments, and canary steps continue one another. One more
/// than the step that the experiment began with, or, after a promotion by hand, might have begun with.
std::size_t evidence_epoch(const State& state);
/// The number that an experiment gets which begins now; never below evidence_epoch().
std::size_t new_epoch(const State& state);

/// The split that belongs to a state: what the gateway must be serving. While the candidate isn't ready (warming, or
/// after a restart) stable serves everything. Without arms: nothing to serve yet, a first deployment that is warming.
traffic::Split split_of(const State& state);

}  // namespace backstay::rollout
