#include "api/json.hpp"

#include <nlohmann/json.hpp>

#include "wire/rollout_json.hpp"

namespace backstay::api {

using nlohmann::json;

namespace {

json share_of(std::uint32_t ppm) {
  return ppm / static_cast<double>(traffic::kWhole);
}

json split_json(const traffic::Split& split) {
  json arms = json::array();
  for (const traffic::Share& arm : split.arms)
    arms.push_back({{"version", arm.version}, {"role", traffic::to_string(arm.role)}, {"share", share_of(arm.ppm)}});
  json out{{"arms", std::move(arms)}, {"fallback", split.fallback}};
  if (!split.shadow.empty()) out["shadow"] = {{"version", split.shadow}, {"share", share_of(split.shadow_ppm)}};
  return out;
}

json versions_json(const monitor::EndpointStatus& endpoint) {
  json list = json::array();
  for (const monitor::VersionTraffic& v : endpoint.versions)
    list.push_back({{"version", v.version},
                    {"requests", v.requests},
                    {"errors", v.errors},
                    {"replayed", v.replayed},
                    {"mirrored", v.mirrored},
                    {"labels", v.labels},
                    {"reports", v.reports},
                    {"conversions", v.conversions},
                    {"latency_p50_seconds", v.latency_p50_seconds},
                    {"latency_p95_seconds", v.latency_p95_seconds},
                    {"latency_p99_seconds", v.latency_p99_seconds}});
  return list;
}

json backends_json(const std::vector<BackendStatus>& backends) {
  json list = json::array();
  for (const BackendStatus& b : backends)
    list.push_back({{"version", b.version},
                    {"state", to_string(b.state)},
                    {"address", b.port == 0 ? "" : b.host + ":" + std::to_string(b.port)},
                    {"detail", b.detail},
                    {"restarts", b.restarts}});
  return list;
}

json examiners_json(const std::vector<monitor::ExaminerStatus>& examiners) {
  json list = json::array();
  for (const monitor::ExaminerStatus& e : examiners)
    list.push_back({{"examiner", e.name.empty() ? "signature" : e.name},
                    {"judged", e.judged},
                    {"bad", e.bad},
                    {"missing", e.missing},
                    {"last", e.last}});
  return list;
}

/// How far what the rollout's step requires has been shown.
json requirements_json(const rollout::State& state) {
  json list = json::array();
  const bool watching = state.phase == rollout::Phase::kWatching;
  const rollout::Proof& proof = state.plan.proof_of(watching ? state.plan.steps.size() : state.step_index);
  for (std::size_t i = 0; i < proof.require.size() && i < state.shown.size(); ++i)
    list.push_back({{"claim", rollout::describe(proof.require[i])},
                    {"guardrail", proof.require[i].guardrail},
                    {"log_e", state.shown[i].log_e},
                    {"log_limit", state.shown[i].log_limit},
                    {"holds", state.shown[i].holds()}});
  return list;
}

json endpoint_json(const monitor::EndpointStatus& endpoint) {
  json guardrails = json::array();
  for (const guardrails::Evidence& evidence : endpoint.guardrails)
    guardrails.push_back(json::parse(wire::to_json(evidence)));
  json out{{"endpoint", endpoint.endpoint},
           {"model", endpoint.model},
           {"stable", endpoint.stable},
           {"standby", endpoint.standby},
           {"split", split_json(endpoint.split)},
           {"rollout", nullptr},
           {"guardrails", std::move(guardrails)},
           {"versions", versions_json(endpoint)},
           {"backends", backends_json(endpoint.backends)},
           {"labels_joined", endpoint.labels_joined},
           {"examiners", examiners_json(endpoint.examiners)},
           {"requirements", json::array()},
           {"waiting_for", endpoint.waiting_for},
           {"trouble", endpoint.trouble}};
  if (endpoint.rollout) {
    out["rollout"] = to_json(*endpoint.rollout);
    out["requirements"] = requirements_json(*endpoint.rollout);
  }
  if (endpoint.decision_to_zero)
    out["decision_to_zero_seconds"] = std::chrono::duration<double>(*endpoint.decision_to_zero).count();
  return out;
}

}  // namespace

json to_json(const StoredVersion& version) {
  return {{"model", version.ref.model},
          {"version", version.ref.version.str()},
          {"ordinal", version.ordinal},
          {"manifest_sha256", version.identity.hex()},
          {"stage", version.stage},
          {"complete", version.complete},
          {"registered_at", to_rfc3339(version.registered_at)},
          {"registered_by", version.registered_by}};
}

json to_json(const audit::Entry& entry) {
  json evidence = json::parse(entry.draft.evidence, nullptr, false);
  if (evidence.is_discarded()) evidence = entry.draft.evidence;
  return {{"sequence", entry.sequence},      {"at", to_rfc3339(entry.at)},
          {"actor", entry.draft.actor},      {"action", entry.draft.action},
          {"subject", entry.draft.subject},  {"reason", entry.draft.reason},
          {"evidence", std::move(evidence)}, {"previous_sha256", entry.previous.hex()},
          {"sha256", entry.hash.hex()}};
}

json to_json(const rollout::State& state) {
  return json::parse(wire::to_json(state));
}

json to_json(const monitor::Status& status) {
  json endpoints = json::array();
  for (const monitor::EndpointStatus& endpoint : status.endpoints) endpoints.push_back(endpoint_json(endpoint));
  const gateway::GatewayCounters& g = status.gateway;
  return {{"endpoints", std::move(endpoints)},
          {"gateway",
           {{"requests", g.requests},
            {"replayed", g.replayed},
            {"failed", g.failed},
            {"refused", g.refused},
            {"mirrored", g.mirrored},
            {"mirrors_dropped", g.mirrors_dropped},
            {"outcomes_dropped", g.outcomes_dropped},
            {"answers_missed", status.answers_missed}}}};
}

std::string dump(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

namespace {

/// The status's name, which is the title of a problem that has no type of its own (RFC 9457, 4.2.1).
const char* title_of(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 422: return "Unprocessable Content";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 507: return "Insufficient Storage";
    default: return status < 500 ? "Client Error" : "Server Error";
  }
}

}  // namespace

json problem(const Error& error, int status) {
  json out{{"type", "about:blank"},
           {"title", title_of(status)},
           {"status", status},
           {"code", to_string(error.code)},
           {"detail", error.message}};
  if (!error.hint.empty()) out["hint"] = error.hint;
  return out;
}

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return 400;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kConflict: return 409;
    case ErrorCode::kFailedPrecondition: return 412;
    case ErrorCode::kIntegrity: return 500;
    case ErrorCode::kUnavailable: return 503;
    case ErrorCode::kTimeout: return 504;
    case ErrorCode::kResourceExhausted: return 507;
    case ErrorCode::kPermissionDenied: return 403;
    case ErrorCode::kUnsupported: return 501;
    case ErrorCode::kInternal: return 500;
  }
  return 500;
}

}  // namespace backstay::api
