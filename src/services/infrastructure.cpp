#include "services/infrastructure.hpp"

#include <fmt/format.h>

namespace backstay::services {

namespace {

Result<void> add(const Records& records, const EndpointRecord& record, const char* role, const std::string& number,
                 const std::vector<registry::Infrastructure>& live, std::vector<DeployedCheck>& out) {
  const auto version = registry::SemanticVersion::parse(number);
  if (!version) return {};  // There is none.
  DeployedCheck item{record.endpoint, role, {record.model, *version}, {}};
  TRY(const StoredVersion stored, records.versions.version(item.ref));
  TRY(const registry::Manifest manifest, manifest_of(stored));
  item.check = registry::check_dependencies(manifest.dependencies, live);
  out.push_back(std::move(item));
  return {};
}

std::string described(const registry::Infrastructure& item) {
  if (item.removed) return item.name + " removed";
  return fmt::format("{} {} {}{}", item.kind, item.name, item.version,
                     item.schema_sha256.empty() ? "" : " schema " + item.schema_sha256.substr(0, 12));
}

}  // namespace

Result<std::vector<DeployedCheck>> check_infrastructure(const Records& records,
                                                        const std::vector<registry::Infrastructure>& changes) {
  for (const registry::Infrastructure& item : changes) TRY_DO(registry::validate(item));
  TRY(std::vector<registry::Infrastructure> live, records.infrastructure.infrastructure());
  live = registry::with_changes(std::move(live), changes);
  TRY(std::vector<EndpointRecord> endpoints, records.rollouts.endpoints());
  TRY(const std::vector<rollout::State> active, records.rollouts.active_rollouts());
  std::vector<DeployedCheck> out;
  for (const EndpointRecord& record : endpoints) {
    TRY_DO(add(records, record, "stable", record.stable, live, out));
    TRY_DO(add(records, record, "standby", record.standby, live, out));
    for (const rollout::State& state : active)
      if (state.endpoint == record.endpoint) TRY_DO(add(records, record, "candidate", state.candidate, live, out));
  }
  return out;
}

Result<void> declare_infrastructure(const Records& records, const std::vector<registry::Infrastructure>& items,
                                    const Actor& actor, const std::string& reason) {
  std::string evidence;
  std::string what;
  for (const registry::Infrastructure& item : items) {
    TRY_DO(registry::validate(item));
    what += (what.empty() ? "" : ", ") + described(item);
    evidence += fmt::format(R"({}{{"kind":"{}","name":"{}","removed":{},"schema_sha256":"{}"}})",
                            evidence.empty() ? "" : ",", item.kind, item.name, item.removed, item.schema_sha256);
  }
  return records.infrastructure.declare(items, {actor.name, "infrastructure.declare", "infrastructure",
                                                what + (reason.empty() ? "." : ": " + reason), "[" + evidence + "]"});
}

}  // namespace backstay::services
