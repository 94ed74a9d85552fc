#include "live/drift_responder.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "services/check_rollout.hpp"
#include "services/live_period.hpp"
#include "services/suggest_version.hpp"

namespace backstay::live {

using nlohmann::json;

namespace {

constexpr const char* kActor = "backstay";

json expected_json(const std::optional<drift::Expected>& value) {
  if (!value) return nullptr;
  return {{"value", value->value}, {"lower", value->lower}, {"upper", value->upper}};
}

json evidence_of(const services::Advice& advice) {
  json ranking = json::array();
  for (const drift::Ranked& each : advice.suggestion.ranking)
    ranking.push_back({{"version", advice.considered[each.contender].ref.str()},
                       {"distance", each.distance ? json(*each.distance) : json(nullptr)},
                       {"expected", expected_json(each.expected)}});
  return {{"metric", advice.metric},
          {"lower_is_better", advice.scale.better == registry::Better::kLower},
          {"live_rows", advice.live_rows},
          {"ranking", std::move(ranking)}};
}

}  // namespace

rollout::Step usual_shadow() {
  rollout::Step out;
  out.kind = rollout::Step::Kind::kShadow;
  out.ppm = 200'000;
  out.min_duration = milliseconds{600'000};
  out.min_samples = 500;
  return out;
}

rollout::Plan cautious_plan(const rollout::Plan& plan, const rollout::Step& shadow) {
  rollout::Plan out = plan;
  if (out.steps.empty() || out.steps.front().kind != rollout::Step::Kind::kShadow)
    out.steps.insert(out.steps.begin(), shadow);
  return out;
}

DriftResponder::DriftResponder(Ports ports, std::vector<ResponsePolicy> policies) : ports_(std::move(ports)) {
  for (ResponsePolicy& policy : policies) {
    State& state = endpoints_[policy.endpoint];
    state.policy = std::move(policy);
  }
}

void DriftResponder::respond(const std::string& endpoint, const std::string& version) {
  const auto found = endpoints_.find(endpoint);
  if (found == endpoints_.end() || found->second.policy.act == ResponsePolicy::Act::kNone) return;
  State& state = found->second;
  const auto looked = look(state, version);
  if (looked || (state.suggested && state.suggested->empty())) return;
  state.suggested = "";
  static_cast<void>(ports_.records.audit.append(
      {kActor, "drift.suggestion", "endpoint " + endpoint, "Nothing is suggested: " + looked.error().message, "{}"}));
}

Result<void> DriftResponder::look(State& state, const std::string& version) {
  const ResponsePolicy& policy = state.policy;
  TRY(const std::optional<EndpointRecord> record, ports_.records.rollouts.endpoint(policy.endpoint));
  if (!record || record->stable != version) return {};  // A candidate's drift is its rollout's affair.
  TRY(const services::LivePeriod period,
      services::live_period(ports_.windows, policy.endpoint, version, "", ports_.clock.now() - policy.look_back));
  TRY(const registry::SemanticVersion number, registry::SemanticVersion::parse(version));
  services::SuggestQuestion question;
  question.endpoint = policy.endpoint;
  question.current = {record->model, number};
  question.metric = policy.metric;
  question.better = policy.better;
  question.release = ports_.release_rules(policy.endpoint);
  question.ignored = policy.ignored;
  TRY(const services::Advice advice,
      services::suggest_version(ports_.registry, ports_.records, question, period.profile));
  const drift::Suggestion& found = advice.suggestion;
  const std::string best = found.best ? advice.considered[*found.best].ref.str() : "";
  if (!state.suggested || *state.suggested != best) {
    const std::string said = best.empty() ? "Nothing is suggested: " + found.reason + "."
                                          : fmt::format("Switch to {}: {}.", best, found.reason);
    TRY_DO(ports_.records.audit.append(
        {kActor, "drift.suggestion", "endpoint " + policy.endpoint, said, evidence_of(advice).dump()}));
    state.suggested = best;
  }
  // A match of features alone is for people to act on: how well the version does there was not measured.
  const bool measured = found.best && found.ranking.front().gain.has_value();
  if (!measured || policy.act != ResponsePolicy::Act::kRollout || advice.considered[*found.best].archived) return {};
  return release(state, advice.considered[*found.best].ref, found.reason);
}

Result<void> DriftResponder::release(State& state, const registry::VersionRef& best, const std::string& reason) {
  const ResponsePolicy& policy = state.policy;
  const Monotonic now = ports_.clock.monotonic();
  if (state.started && now - *state.started < policy.pause) return {};
  TRY(const std::vector<rollout::State> active, ports_.records.rollouts.active_rollouts());
  for (const rollout::State& each : active)
    if (each.endpoint == policy.endpoint) return {};
  TRY_DO(services::check_rollout(ports_.records, policy.endpoint, best, ports_.release_rules(policy.endpoint)));
  TRY_DO(services::check_taken_back(ports_.records, policy.endpoint, best, services::TakenBackBy::kAnyone));
  TRY_DO(services::check_damping(ports_.records, policy.endpoint, best, ports_.clock.now()));
  state.started = now;
  return ports_.monitor
      .start_rollout(policy.endpoint, best.version.str(), cautious_plan(policy.plan, policy.shadow),
                     {kActor, "The live data drifted, and this version fits it better: " + reason + "."})
      .get();
}

}  // namespace backstay::live
