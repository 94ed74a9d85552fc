#include "services/archive_version.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::services {

using registry::VersionRef;

namespace {

Unexpected in_use(const VersionRef& ref, const std::string& how) {
  return Unexpected(ErrorCode::kFailedPrecondition, fmt::format("{} is {}.", ref.str(), how),
                    "Move the endpoint to another version first.");
}

Result<void> check_unused(const Records& records, const VersionRef& ref) {
  const std::string number = ref.version.str();
  TRY(const std::vector<EndpointRecord> endpoints, records.rollouts.endpoints());
  TRY(const std::vector<rollout::State> active, records.rollouts.active_rollouts());
  for (const EndpointRecord& record : endpoints) {
    if (record.model != ref.model) continue;
    if (record.stable == number) return in_use(ref, "what endpoint '" + record.endpoint + "' serves");
    if (record.standby == number) return in_use(ref, "the standby of endpoint '" + record.endpoint + "'");
    for (const rollout::State& state : active)
      if (state.endpoint == record.endpoint && state.candidate == number)
        return in_use(ref, "the candidate of rollout " + state.id);
  }
  return {};
}

Result<void> move(const Records& records, const VersionRef& ref, const std::string& stage, const std::string& action,
                  const Actor& actor, const std::string& reason) {
  TRY(const StoredVersion version, records.versions.version(ref));
  if (version.stage == stage)
    return Unexpected(ErrorCode::kConflict, fmt::format("{} is in stage {} already.", ref.str(), stage),
                      "There is nothing to do.");
  return records.releases.move_stage(
      ref, version.stage, stage,
      {actor.name, action, ref.str(), reason, fmt::format(R"({{"from":"{}","to":"{}"}})", version.stage, stage)});
}

Result<std::optional<registry::SemanticVersion>> alias_target(const Records& records, const std::string& model,
                                                              const std::string& name) {
  TRY(const std::vector<Alias> aliases, records.releases.aliases(model));
  const auto found = std::find_if(aliases.begin(), aliases.end(), [&](const Alias& a) { return a.name == name; });
  return found == aliases.end() ? std::nullopt : std::optional(found->ref.version);
}

std::string evidence_of(const std::string& alias, const std::optional<registry::SemanticVersion>& from,
                        const std::string& to) {
  return fmt::format(R"({{"alias":"{}","from":"{}","to":"{}"}})", alias, from ? from->str() : "", to);
}

}  // namespace

Result<void> archive_version(const Records& records, const VersionRef& ref, const Actor& actor,
                             const std::string& reason) {
  TRY_DO(check_unused(records, ref));
  return move(records, ref, "Archived", "version.archive", actor, reason);
}

Result<void> restore_version(const Records& records, const VersionRef& ref, const Actor& actor,
                             const std::string& reason) {
  TRY(const StoredVersion version, records.versions.version(ref));
  if (version.stage == "Production")
    return Unexpected(ErrorCode::kConflict, fmt::format("{} is in production.", ref.str()),
                      "Only promotion and rollback move a version out of production.");
  return move(records, ref, "Staging", "version.restore", actor, reason);
}

Result<void> set_alias(const Records& records, const VersionRef& ref, const std::string& alias,
                       const std::optional<std::string>& expected, const Actor& actor, const std::string& reason) {
  TRY_DO(check_alias_name(alias));
  TRY(std::optional<registry::SemanticVersion> from, alias_target(records, ref.model, alias));
  if (expected) {
    from.reset();
    if (!expected->empty() && *expected != "none") {
      TRY(from, registry::SemanticVersion::parse(*expected));
    }
  }
  return records.releases.set_alias(
      ref.model, alias, ref.version, from,
      {actor.name, "alias.set", ref.str(), fmt::format("{}{}", alias, reason.empty() ? "" : ": " + reason),
       evidence_of(alias, from, ref.version.str())});
}

Result<void> remove_alias(const Records& records, const std::string& model, const std::string& alias,
                          const Actor& actor, const std::string& reason) {
  TRY(const std::optional<registry::SemanticVersion> from, alias_target(records, model, alias));
  if (!from)
    return Unexpected(ErrorCode::kNotFound, fmt::format("{} has no alias '{}'.", model, alias),
                      "See: backstay alias list " + model);
  return records.releases.set_alias(
      model, alias, std::nullopt, from,
      {actor.name, "alias.remove", VersionRef{model, *from}.str(),
       fmt::format("{}{}", alias, reason.empty() ? "" : ": " + reason), evidence_of(alias, from, "")});
}

}  // namespace backstay::services
