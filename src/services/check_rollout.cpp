#include "services/check_rollout.hpp"

#include <fmt/format.h>

#include "services/evaluate_gate.hpp"

namespace backstay::services {

namespace {

constexpr std::size_t kHistory = 100;

}  // namespace

Result<void> check_rollout(VersionStore& versions, const RolloutStore& rollouts, const std::string& endpoint,
                           const registry::VersionRef& candidate) {
  TRY(const StoredVersion version, versions.version(candidate));
  TRY(const std::optional<EndpointRecord> record, rollouts.endpoint(endpoint));
  const std::string number = candidate.version.str();
  if (record && record->model == candidate.model && record->stable == number)
    return Unexpected(ErrorCode::kConflict, fmt::format("Endpoint '{}' serves {} already.", endpoint, candidate.str()),
                      "There is nothing to roll out; name another version.");
  TRY_DO(check_releasable(versions, version));
  TRY(const std::vector<StoredVerdict> verdicts, versions.verdicts(candidate));
  TRY(const std::vector<rollout::State> history, rollouts.rollouts(endpoint, kHistory));
  for (const rollout::State& state : history) {
    const bool taken_back = state.candidate == number && state.cause && state.cause->trigger == "guardrail";
    if (taken_back && state.phase_since > verdicts.front().at)
      return Unexpected(
          ErrorCode::kFailedPrecondition,
          fmt::format("A guardrail took {} back in {}: {}", candidate.str(), state.id, state.cause->reason),
          "Fix it in a new version, or add what was learned to its scorecards and judge it again with "
          "backstay gate.");
  }
  return {};
}

}  // namespace backstay::services
