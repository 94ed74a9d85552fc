#include "monitor/report_endpoint.hpp"

namespace backstay::monitor {

EndpointStatus report(const WatchedEndpoint& endpoint, const services::RolloutDriver& driver,
                      const traffic::Split& split, const KnownBackends& backends, Timestamp now) {
  const std::string& name = endpoint.config.name;
  EndpointStatus out;
  out.endpoint = name;
  const EndpointRecord& record = driver.record(name);
  out.model = record.model;
  out.stable = record.stable;
  out.standby = record.standby;
  out.split = split;
  if (const rollout::State* state = driver.latest(name)) {
    out.rollout = *state;
    out.guardrails = endpoint.watch.evidence();
    rollout::State seen = *state;
    if (endpoint.step.counts(seen)) seen.samples = endpoint.step.of(seen);
    if (!rollout::is_final(seen.phase)) seen.shown = endpoint.shown(seen);
    out.waiting_for = rollout::waiting_for(seen, now);
  }
  for (const auto& [version, counts] : endpoint.versions) {
    VersionTraffic traffic = counts.traffic;
    traffic.version = version;
    traffic.latency_p50_seconds = counts.latency.quantile(0.5);
    traffic.latency_p95_seconds = counts.latency.quantile(0.95);
    traffic.latency_p99_seconds = counts.latency.quantile(0.99);
    out.versions.push_back(traffic);
  }
  out.backends = backends.of(name);
  out.labels_joined = endpoint.labels_joined;
  out.trouble = driver.trouble(name);
  if (out.trouble.empty() && driver.active(name) != nullptr) out.trouble = endpoint.trouble;
  out.decision_to_zero = endpoint.decision_to_zero;
  out.decided_at = endpoint.decided_at;
  return out;
}

}  // namespace backstay::monitor
