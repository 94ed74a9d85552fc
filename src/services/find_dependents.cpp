#include "services/find_dependents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "services/registry.hpp"

namespace backstay::services {

namespace {

using registry::LiveModel;

/// What was left, and by which rollout.
struct Left {
  const rollout::State& ended;
  std::string model;
  std::string version;
};

/// What of a version's needs the rollback took away; empty: nothing.
Result<std::string> taken_away(const Records& records, const registry::VersionRef& ref, const Left& left,
                               const std::vector<LiveModel>& live) {
  TRY(const StoredVersion stored, records.versions.version(ref));
  TRY(const registry::Manifest manifest, manifest_of(stored));
  for (const registry::Mismatch& mismatch : registry::check_models(manifest.dependencies, live)) {
    if (mismatch.dependency.name != left.model || !registry::meets(mismatch.dependency, left.version)) continue;
    return fmt::format("{} {}, since {} took {} back", ref.str(), mismatch.reason, left.ended.id, left.version);
  }
  return std::string();
}

Result<void> add(const Records& records, const EndpointRecord& record, const std::string& number, bool candidate,
                 const Left& left, const std::vector<LiveModel>& live, std::vector<Dependent>& out) {
  const auto version = registry::SemanticVersion::parse(number);
  if (!version) return {};
  TRY(const std::string reason, taken_away(records, {record.model, *version}, left, live));
  if (reason.empty()) return {};
  Dependent item;
  item.endpoint = record.endpoint;
  item.version = number;
  item.candidate = candidate;
  item.reason = reason + ".";
  item.evidence = nlohmann::json{
      {"because_of", left.ended.id},
      {"endpoint", left.ended.endpoint},
      {"model", left.model},
      {"left",
       left.version}}.dump();
  out.push_back(std::move(item));
  return {};
}

}  // namespace

Result<std::vector<LiveModel>> live_models(const Records& records) {
  TRY(const std::vector<EndpointRecord> endpoints, records.rollouts.endpoints());
  TRY(const std::vector<rollout::State> active, records.rollouts.active_rollouts());
  std::vector<LiveModel> out;
  for (const EndpointRecord& record : endpoints) {
    if (!record.stable.empty()) out.push_back({record.endpoint, record.model, record.stable});
    for (const rollout::State& state : active)
      if (state.endpoint == record.endpoint) out.push_back({record.endpoint, record.model, state.candidate});
  }
  return out;
}

Result<std::vector<Dependent>> find_dependents(const Records& records, const rollout::State& ended,
                                               const IsWarm& is_warm) {
  TRY(const std::vector<EndpointRecord> endpoints, records.rollouts.endpoints());
  TRY(const std::vector<rollout::State> active, records.rollouts.active_rollouts());
  TRY(const std::vector<LiveModel> live, live_models(records));
  const auto its = std::find_if(endpoints.begin(), endpoints.end(),
                                [&](const EndpointRecord& record) { return record.endpoint == ended.endpoint; });
  if (its == endpoints.end()) return std::vector<Dependent>();
  const bool returned = ended.phase == rollout::Phase::kDone;
  const Left left{ended, its->model, returned ? ended.stable : ended.candidate};
  std::vector<Dependent> out;
  for (const EndpointRecord& record : endpoints) {
    if (record.endpoint == ended.endpoint) continue;
    for (const rollout::State& state : active)
      if (state.endpoint == record.endpoint) TRY_DO(add(records, record, state.candidate, true, left, live, out));
    const std::size_t before = out.size();
    TRY_DO(add(records, record, record.stable, false, left, live, out));
    if (out.size() == before) continue;
    TRY(out.back().target, choose_return(records, record, is_warm));
  }
  return out;
}

}  // namespace backstay::services
