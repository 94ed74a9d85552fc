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

WatchedEndpoint::WatchedEndpoint(const EndpointConfig& its_config, RecordingStore* recordings)
    : config(its_config),
      watch(its_config.guardrails, its_config.slots, its_config.family),
      recorder(recordings, policy_text(its_config)),
      error_alarms(its_config.guardrails),
      wants_feedback(std::any_of(its_config.guardrails.begin(), its_config.guardrails.end(),
                                 [](const auto& spec) { return guardrails::is_told(spec.signal.kind); })) {}

void WatchedEndpoint::reset(const rollout::State* active, Monotonic at) {
  since = at;
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
