#include "services/find_dependents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

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

std::optional<Dependent> dependent(const Records& records, const EndpointRecord& record, const std::string& number,
                                   bool candidate, const Left& left, const std::vector<LiveModel>& live) {
  const auto version = registry::SemanticVersion::parse(number);
  if (!version) return std::nullopt;
  const registry::VersionRef ref{record.model, *version};
  const Result<std::string> reason = taken_away(records, ref, left, live);
  if (reason && reason->empty()) return std::nullopt;
  Dependent item;
  item.endpoint = record.endpoint;
  item.version = number;
  item.candidate = candidate;
  item.because_of = left.ended.id;
  item.unknown = !reason;
  item.reason = reason ? *reason + "."
                       : fmt::format("Whether {} still has what it needs, since {} took {} back, could not be read: {}",
                                     ref.str(), left.ended.id, left.version, reason.error().message);
  item.evidence = nlohmann::json{
      {"because_of", left.ended.id},
      {"endpoint", left.ended.endpoint},
      {"model", left.model},
      {"left",
       left.version}}.dump();
  return item;
}

}  // namespace

Result<std::vector<LiveModel>> live_models(const Records& records) {
  TRY(const std::vector<EndpointRecord> endpoints, records.rollouts.endpoints());
  TRY(const std::vector<rollout::State> active, records.rollouts.active_rollouts());
  std::vector<LiveModel> out;
  for (const EndpointRecord& record : endpoints) {
    if (!records.serves(record.endpoint)) continue;
    if (!record.stable.empty()) out.push_back({record.endpoint, record.model, record.stable});
    for (const rollout::State& state : active)
      if (state.endpoint == record.endpoint) out.push_back({record.endpoint, record.model, state.candidate});
  }
  return out;
}

Result<std::vector<std::string>> needs_that_end(const Records& records, const std::string& endpoint,
                                                const registry::VersionRef& candidate) {
  TRY(const std::vector<LiveModel> now, live_models(records));
  std::vector<LiveModel> then{{endpoint, candidate.model, candidate.version.str()}};
  std::copy_if(now.begin(), now.end(), std::back_inserter(then),
               [&](const LiveModel& live) { return live.endpoint != endpoint; });
  std::vector<std::string> out;
  for (const LiveModel& other : now) {
    const auto number = registry::SemanticVersion::parse(other.version);
    if (other.endpoint == endpoint || !number) continue;
    const registry::VersionRef ref{other.model, *number};
    TRY(const StoredVersion stored, records.versions.version(ref));
    TRY(const registry::Manifest manifest, manifest_of(stored));
    const std::vector<registry::Mismatch> missing = registry::check_models(manifest.dependencies, now);
    for (const registry::Mismatch& mismatch : registry::check_models(manifest.dependencies, then)) {
      const bool before = std::any_of(missing.begin(), missing.end(), [&](const registry::Mismatch& known) {
        return known.dependency == mismatch.dependency;
      });
      if (!before && mismatch.dependency.name == candidate.model)
        out.push_back(fmt::format("Once {} is stable, {} on '{}' {}.", candidate.str(), ref.str(), other.endpoint,
                                  mismatch.reason));
    }
  }
  return out;
}

Result<std::vector<Dependent>> find_dependents(const Records& records, const rollout::State& ended,
                                               const RulesOf& rules_of, const IsWarm& is_warm) {
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
    if (record.endpoint == ended.endpoint || !records.serves(record.endpoint)) continue;
    for (const rollout::State& state : active) {
      if (state.endpoint != record.endpoint) continue;
      if (auto item = dependent(records, record, state.candidate, true, left, live)) out.push_back(*std::move(item));
    }
    auto item = dependent(records, record, record.stable, false, left, live);
    if (!item) continue;
    if (!item->unknown) {
      const ReleaseRules rules = rules_of ? rules_of(record.endpoint) : ReleaseRules();
      auto choice = choose_return(records, record, rules, is_warm);
      if (choice) {
        item->target = *std::move(choice);
      } else {
        item->target.why = fmt::format("where it can return to could not be read: {}", choice.error().message);
      }
    }
    out.push_back(*std::move(item));
  }
  return out;
}

}  // namespace backstay::services
