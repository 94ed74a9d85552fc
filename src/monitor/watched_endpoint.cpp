#include "monitor/watched_endpoint.hpp"

#include <algorithm>

#include "wire/policy_json.hpp"

namespace backstay::monitor {

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

WatchedEndpoint::WatchedEndpoint(const EndpointConfig& its_config, RecordingStore* recordings)
    : config(its_config),
      watch(its_config.guardrails, its_config.slots, its_config.family),
      recorder(recordings, wire::to_json(guardrails::Policy{its_config.guardrails, its_config.family})),
      wants_labels(std::any_of(its_config.guardrails.begin(), its_config.guardrails.end(), [](const auto& spec) {
        return spec.signal.kind == guardrails::Signal::Kind::kFeedback;
      })) {}

void WatchedEndpoint::reset(const rollout::State* active) {
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
  watch.reset();
  step.reset();
}

std::vector<rollout::Shown> WatchedEndpoint::shown(const rollout::State& state) const {
  const bool watching = state.phase == rollout::Phase::kWatching;
  return watch.shown(watching ? state.plan.steps.size() : state.step_index);
}

}  // namespace backstay::monitor
