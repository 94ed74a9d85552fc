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

}  // namespace backstay::monitor
