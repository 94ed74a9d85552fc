#include "monitor/watched_endpoint.hpp"

#include <algorithm>
#include <utility>

#include "wire/policy_json.hpp"

namespace backstay::monitor {

namespace {

Observation::Kind kind_of(FeedbackKind kind) {
  switch (kind) {
    case FeedbackKind::kLabel: return Observation::Kind::kLabel;
    case FeedbackKind::kReport: return Observation::Kind::kReport;
    case FeedbackKind::kConversion: return Observation::Kind::kConversion;
  }
  return Observation::Kind::kLabel;
}

}  // namespace

Observation observation_of(const Prediction& prediction, const Label& label, const rollout::State& state,
                           const RolloutClock& clock, const Clock& machine) {
  const traffic::Outcome& outcome = prediction.outcome;
  // The draw of a prediction that was made before this rollout was another one's: it tells of the version, and
  // nothing of the two versions against one another. The id has whole seconds.
  const bool drawn_here = outcome.prediction.at() > state.started_at;
  const Monotonic now = machine.monotonic();
  Observation out;
  out.kind = kind_of(label.kind);
  out.candidate = prediction.version == state.candidate;
  out.pi = drawn_here ? outcome.candidate_ppm / static_cast<double>(traffic::kWhole) : 0;
  out.label = label.value;
  out.at = clock.at(now);
  out.outcome = outcome;
  out.outcome.at = clock.at(outcome.prediction, now, machine.now());
  return out;
}

void VersionCounts::add(const traffic::Outcome& outcome) {
  if (outcome.role == traffic::Role::kShadow) {
    ++traffic.mirrored;
    return;
  }
  ++traffic.requests;
  if (is_error(outcome)) ++traffic.errors;
  if (outcome.replayed) ++traffic.replayed;
  if (outcome.ending == traffic::Ending::kAnswered) latency.add(outcome.latency_us / 1e6);
}

void VersionCounts::add(FeedbackKind kind) {
  switch (kind) {
    case FeedbackKind::kLabel: ++traffic.labels; break;
    case FeedbackKind::kReport: ++traffic.reports; break;
    case FeedbackKind::kConversion: ++traffic.conversions; break;
  }
}

void VersionCounts::take(const LabelTotal& total) {
  traffic.labels = total.labels;
  traffic.reports = total.reports;
  traffic.conversions = total.conversions;
}

std::string policy_text(const EndpointConfig& config) {
  return wire::to_json(guardrails::Policy{config.guardrails, config.family});
}

WatchedEndpoint::WatchedEndpoint(const EndpointConfig& its_config, RecordingStore* recordings, Threads::Post writes)
    : config(its_config),
      watch(its_config.guardrails, its_config.slots, its_config.family),
      recorder(recordings, policy_text(its_config), std::move(writes)),
      error_alarms(its_config.guardrails),
      wants_feedback(std::any_of(its_config.guardrails.begin(), its_config.guardrails.end(),
                                 [](const auto& spec) { return guardrails::is_told(spec.signal.kind); })) {}

Result<void> WatchedEndpoint::remember_in(PredictionStore& store) {
  if (!wants_feedback) return {};
  TRY(const ValuePlan plan, plan_values(config.guardrails));
  TRY(values, RememberedValues::open(store, plan.sources));
  return {};
}

Prediction WatchedEndpoint::remembered(const std::string& version, const traffic::Outcome& outcome) const {
  return {config.name, version, outcome, values.plan()};
}

Prediction WatchedEndpoint::joined(Prediction prediction) const {
  prediction.outcome.values = values.now(prediction);
  prediction.values_of = values.plan();
  return prediction;
}

void WatchedEndpoint::require(const rollout::State* active) {
  std::vector<Required> required;
  trouble.clear();
  if (active != nullptr) {
    // The guardrails may be others than when it was started.
    if (auto resolved = resolve(active->plan, config.guardrails)) {
      required = std::move(*resolved);
    } else {
      trouble = resolved.error().message;
    }
  }
  watch.require(std::move(required));
}

void WatchedEndpoint::reset(const rollout::State* active, Monotonic at) {
  since = at;
  rollout_ = active == nullptr ? "" : active->id;
  require(active);
  watch.reset();
  step.reset();
  if (active == nullptr) return;
  Observation began;
  began.kind = Observation::Kind::kReset;
  began.epoch = rollout::new_epoch(*active);
  recorder.show(active->id, began, at);
}

std::optional<std::vector<guardrails::Evidence>> WatchedEndpoint::restore(const rollout::State& active,
                                                                          const RecordingStore& recordings,
                                                                          Monotonic at, Timestamp wall) {
  require(&active);
  auto restored = restore_evidence(recordings, active, policy_text(config), watch, at, wall);
  if (!restored) return std::nullopt;
  since = at;
  rollout_ = active.id;
  clock = restored->clock;
  step.restore(active, restored->samples);
  recorder.resume(active.id);
  return std::move(restored->crossed);
}

void WatchedEndpoint::show(const rollout::State& active, const Observation& observation,
                           const GuardrailWatch::OnBreach& on_breach) {
  recorder.show(active.id, observation, now);
  watch.show(observation, on_breach);
}

bool WatchedEndpoint::is_of_experiment(const rollout::State& active, const traffic::Outcome& outcome) const {
  // While it warms up it has no traffic, and stable's is compared with nothing.
  if (!looks_at(active) || active.phase == rollout::Phase::kWarming) return false;
  return outcome.at - microseconds(outcome.latency_us) >= since;
}

double WatchedEndpoint::requests_per_second(Monotonic at) const {
  constexpr seconds kAWhile{10};
  if (!first_at || at - *first_at < kAWhile) return 0;
  std::uint64_t requests = 0;
  for (const auto& [version, counts] : versions) requests += counts.traffic.requests;
  return static_cast<double>(requests) / std::chrono::duration<double>(at - *first_at).count();
}

std::vector<rollout::Shown> WatchedEndpoint::shown(const rollout::State& state) const {
  const bool watching = state.phase == rollout::Phase::kWatching;
  return watch.shown(watching ? state.plan.steps.size() : state.step_index);
}

}  // namespace backstay::monitor
