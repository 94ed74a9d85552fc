#pragma once

#include <optional>
#include <string>

#include "domain/rollout/rollout.hpp"
#include "monitor/guardrail_watch.hpp"
#include "monitor/rollout_clock.hpp"

namespace backstay::monitor {

/// What a server that was started again knows of a rollout under way.
struct RestoredEvidence {
  RolloutClock clock;
  std::uint64_t samples = 0;  ///< The candidate's outcomes in the step that the rollout is in.
  /// Guardrails that had crossed their limit. What they asked for may not have been done before the server ended.
  std::vector<guardrails::Evidence> crossed;
};

/// Shows the guardrails again what they were shown before, so that evidence goes on where it was. nullopt: it can't,
/// and `watch` has seen nothing; the recording is not there, is of other guardrails, or has nothing of the experiment
/// that the rollout is in. What was not written yet when the server was killed, a fifth of a second at most, is
/// missing: that it is does not depend on how it would have come out. `watch` knows what the rollout requires. Reads
/// the whole recording.
std::optional<RestoredEvidence> restore_evidence(const RecordingStore& recordings, const rollout::State& state,
                                                 const std::string& policy, GuardrailWatch& watch, Monotonic now,
                                                 Timestamp wall);

}  // namespace backstay::monitor
