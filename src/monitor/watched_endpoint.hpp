#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "domain/guardrails/latency.hpp"
#include "domain/rollout/rollout.hpp"
#include "domain/traffic/outcome.hpp"
#include "monitor/error_alarms.hpp"
#include "monitor/guardrail_watch.hpp"
#include "monitor/monitor.hpp"
#include "monitor/recorder.hpp"
#include "monitor/remembered_values.hpp"
#include "monitor/restore_evidence.hpp"
#include "monitor/status.hpp"
#include "ports/predictions.hpp"

namespace backstay::monitor {

/// The candidate's outcomes in the step that a rollout is in. Not thread-safe.
class StepCount {
 public:
  void add(const rollout::State& state, bool candidate) {
    if (!counts(state)) begin(state);
    if (candidate) ++samples_;
  }
  void reset() { samples_ = 0; }
  /// What an earlier process counted in this step.
  void restore(const rollout::State& state, std::uint64_t samples) {
    begin(state);
    samples_ = samples;
  }
  std::uint64_t of(const rollout::State& state) const { return counts(state) ? samples_ : 0; }
  /// Whether anything was seen in this step.
  bool counts(const rollout::State& state) const {
    return id_ == state.id && phase_ == state.phase && step_index_ == state.step_index;
  }

 private:
  void begin(const rollout::State& state) {
    id_ = state.id;
    phase_ = state.phase;
    step_index_ = state.step_index;
    samples_ = 0;
  }
  std::string id_;
  rollout::Phase phase_ = rollout::Phase::kWarming;
  std::size_t step_index_ = 0;
  std::uint64_t samples_ = 0;
};

/// The chance that an outcome is the candidate's: that of the draw, or one half of the two answers to a mirrored
/// request. 0, which tells nothing against stable, for a request of which no copy was sent, and for a copy whose answer
/// comes when requests are no longer mirrored.
inline double candidate_chance(const traffic::Split& split, const traffic::Outcome& outcome) {
  if (outcome.role == traffic::Role::kShadow && split.shadow.empty()) return 0;
  return outcome.candidate_ppm / static_cast<double>(traffic::kWhole);
}

/// What a label, report or conversion shows the guardrails of the rollout under way, of whose versions one made the
/// prediction. Its values are those of now (WatchedEndpoint::joined).
Observation observation_of(const Prediction& prediction, const Label& label, const rollout::State& state,
                           const RolloutClock& clock, const Clock& machine);

struct VersionCounts {
  VersionTraffic traffic;
  guardrails::LatencySketch latency;
  void add(const traffic::Outcome& outcome);
  void add(FeedbackKind kind);
  /// What earlier processes counted.
  void take(const LabelTotal& total);
};

/// The endpoint's guardrails, as recordings and the audit log have them.
std::string policy_text(const EndpointConfig& config);

/// All that the control loop keeps of one endpoint.
struct WatchedEndpoint {
  /// `writes`: as the Recorder has it.
  WatchedEndpoint(const EndpointConfig& its_config, RecordingStore* recordings, Threads::Post writes = {});

  /// Has the store know which values are remembered with this endpoint's predictions, and reads which were before.
  Result<void> remember_in(PredictionStore& store);
  /// To be remembered: an answer of `version`.
  Prediction remembered(const std::string& version, const traffic::Outcome& outcome) const;
  /// One that the store gives back, with its values where the guardrails of now look for them.
  Prediction joined(Prediction prediction) const;

  /// Evidence begins anew; what the rollout requires is looked at from here on.
  void reset(const rollout::State* active, Monotonic now);
  /// Evidence goes on where it was when the server ended: what had crossed its limit; nullopt: it can't, and has seen
  /// nothing.
  std::optional<std::vector<guardrails::Evidence>> restore(const rollout::State& active,
                                                           const RecordingStore& recordings, Monotonic now,
                                                           Timestamp wall);
  /// Shown to the guardrails of the rollout under way, and recorded. Its times are by `clock`.
  void show(const rollout::State& active, const Observation& observation, const GuardrailWatch::OnBreach& on_breach);
  /// Whether the guardrails look at this rollout: from when its start is durable. What came before that is evidence of
  /// another one.
  bool looks_at(const rollout::State& active) const { return active.id == rollout_; }
  /// Whether an outcome is of the rollout's experiment: its request was given since that began. One that took long may
  /// be of an earlier rollout of the same version.
  bool is_of_experiment(const rollout::State& active, const traffic::Outcome& outcome) const;
  /// The evidence for what the rollout's step requires.
  std::vector<rollout::Shown> shown(const rollout::State& state) const;
  /// Of all versions together, since the first one; 0: not known yet.
  double requests_per_second(Monotonic at) const;

  EndpointConfig config;
  GuardrailWatch watch;
  Recorder recorder;
  ErrorAlarms error_alarms;
  RememberedValues values;
  std::map<std::string, VersionCounts> versions;
  StepCount step;
  RolloutClock clock;  ///< Of the rollout under way.
  std::optional<std::chrono::nanoseconds> decision_to_zero;
  std::optional<Monotonic> decided_at;
  Monotonic since;                    ///< When the evidence began.
  Monotonic now;                      ///< Of the outcome or label that is looked at.
  std::optional<Monotonic> first_at;  ///< Of all outcomes that this process saw.
  std::uint64_t labels_joined = 0;
  std::string trouble;          ///< Why a requirement can't be looked at; empty when all can.
  bool wants_feedback = false;  ///< Some guardrail is fed by what users tell.

 private:
  void require(const rollout::State* active);

  std::string rollout_;  ///< That the guardrails look at; empty: none.
};

}  // namespace backstay::monitor
