#pragma once

#include <string>

#include "domain/rollout/rollout.hpp"

/// Where a rollout is on its way, for the files of this folder.
namespace backstay::rollout {

/// Which step would begin next; plan.steps.size(): promotion.
inline std::size_t next_index(const State& state) {
  return state.phase == Phase::kWarming ? 0 : state.step_index + 1;
}
/// The step that it is in; plan.steps.size(): the watch.
inline std::size_t index_of(const State& state) {
  return state.phase == Phase::kWatching ? state.plan.steps.size() : state.step_index;
}
/// Since when the step could show what it requires: its beginning, or a restart, which forgets evidence.
inline Timestamp evidence_since(const State& state) {
  return state.evidence_since > state.phase_since ? state.evidence_since : state.phase_since;
}
inline bool lacks_approval(const State& state, std::size_t index) {
  return state.plan.needs_approval(index) && state.approved <= index;
}

/// Whether it is not evidence that keeps the step from being left: a person is asked, or the hours are closed.
inline bool waits_for_others(const State& state, Timestamp now) {
  if (state.plan.calendar.closed(now)) return true;
  return state.phase == Phase::kStepping && lacks_approval(state, next_index(state));
}

/// Whether what the step requires must be shown by a certain time. What was shown is not timed while others are waited
/// for; once they no longer are, it must hold as before.
inline bool is_timed(const State& state, const Proof& proof, Timestamp now) {
  const bool shown = state.proven > index_of(state);
  return proof.within > milliseconds{0} && !(shown && waits_for_others(state, now));
}
/// "25% of the requests to 1.1.0"
std::string step_text(const State& state, std::size_t index);
/// "5%"
std::string percent(std::uint32_t ppm);

}  // namespace backstay::rollout
