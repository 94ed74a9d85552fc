#include "services/check_rollout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "services/evaluate_gate.hpp"
#include "services/lineage.hpp"

namespace backstay::services {

namespace {

constexpr std::size_t kHistory = 100;

template <class T>
Timestamp newest_of(const std::vector<T>& items) {
  Timestamp newest{};
  for (const T& item : items) newest = std::max(newest, item.at);
  return newest;
}

Result<void> check_taken_back(const Records& records, const std::string& endpoint,
                              const registry::VersionRef& candidate) {
  const std::string number = candidate.version.str();
  TRY(const std::vector<registry::StoredScorecard> scorecards, records.versions.scorecards(candidate));
  TRY(const std::vector<StoredVerdict> verdicts, records.versions.verdicts(candidate));
  TRY(const std::vector<rollout::State> history, records.rollouts.rollouts(endpoint, kHistory));
  for (const rollout::State& state : history) {
    const bool taken_back = state.candidate == number && state.cause && state.cause->trigger == "guardrail";
    if (!taken_back) continue;
    // The same evidence judged again says the same: what traffic showed is not in it.
    const bool measured = newest_of(scorecards) > state.phase_since;
    if (measured && newest_of(verdicts) > state.phase_since) continue;
    return Unexpected(
        ErrorCode::kFailedPrecondition,
        fmt::format("A guardrail took {} back in {}, and {} since: {}", candidate.str(), state.id,
                    measured ? "no gate judged it" : "nothing was measured", state.cause->reason),
        "Fix it in a new version, or add what was learned to its scorecards (backstay scorecard add) and judge it "
        "again with backstay gate.");
  }
  return {};
}

// A verdict counts as long as it is about all that was measured.
Result<void> check_current(const Records& records, const registry::VersionRef& candidate) {
  TRY(const std::vector<registry::StoredScorecard> scorecards, records.versions.scorecards(candidate));
  TRY(const std::vector<StoredVerdict> verdicts, records.versions.verdicts(candidate));
  const Timestamp measured = newest_of(scorecards);
  std::set<std::string> judged;
  for (const StoredVerdict& verdict : verdicts) {
    if (!judged.insert(verdict.gate).second || verdict.at >= measured) continue;
    return Unexpected(
        ErrorCode::kFailedPrecondition,
        fmt::format("Gate '{}' judged {} before its newest scorecard was added.", verdict.gate, candidate.str()),
        fmt::format("Judge it again: backstay gate {} --file GATE.yaml", candidate.str()));
  }
  return {};
}

Result<void> check_not_archived(const StoredVersion& version) {
  if (version.stage != "Archived") return {};
  return Unexpected(ErrorCode::kFailedPrecondition, fmt::format("{} is archived.", version.ref.str()),
                    fmt::format("If it shall be released: backstay restore {} --reason \"...\"", version.ref.str()));
}

}  // namespace

Result<void> check_rollout(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate) {
  TRY(const StoredVersion version, records.versions.version(candidate));
  TRY(const std::optional<EndpointRecord> record, records.rollouts.endpoint(endpoint));
  if (record && record->model == candidate.model && record->stable == candidate.version.str())
    return Unexpected(ErrorCode::kConflict, fmt::format("Endpoint '{}' serves {} already.", endpoint, candidate.str()),
                      "There is nothing to roll out; name another version.");
  TRY_DO(check_return(records, candidate));  // What is blocked stays so, whatever is restored.
  TRY_DO(check_not_archived(version));
  return check_eligible(records, endpoint, candidate);
}

Result<void> check_eligible(const Records& records, const std::string& endpoint,
                            const registry::VersionRef& candidate) {
  TRY(const StoredVersion version, records.versions.version(candidate));
  TRY_DO(check_return(records, candidate));
  TRY_DO(check_releasable(records.versions, version));
  TRY_DO(check_current(records, candidate));
  return check_taken_back(records, endpoint, candidate);
}

Result<void> check_return(const Records& records, const registry::VersionRef& ref) {
  TRY(const StoredVersion version, records.versions.version(ref));
  TRY(const std::optional<Quarantine> quarantine, quarantine_of(records, ref));
  if (quarantine)
    return Unexpected(ErrorCode::kFailedPrecondition,
                      fmt::format("{} is blocked (\"{}\"): {} is in quarantine since {}, by {}.", ref.str(),
                                  quarantine->reason, lineage::describe(quarantine->subject),
                                  to_rfc3339(quarantine->at).substr(0, 10), quarantine->actor),
                      "Use a version that was not made from it, or lift the quarantine with backstay quarantine lift.");
  TRY(const registry::Manifest manifest, manifest_of(version));
  TRY(const std::vector<registry::Infrastructure> live, records.infrastructure.infrastructure());
  const registry::DependencyCheck check = registry::check_dependencies(manifest.dependencies, live);
  if (check.holds()) return {};
  std::string reasons;
  for (const registry::Mismatch& mismatch : check.mismatches)
    reasons += (reasons.empty() ? "" : "; ") + mismatch.reason;
  return Unexpected(ErrorCode::kFailedPrecondition,
                    fmt::format("{} does not fit what is live: it {}.", ref.str(), reasons),
                    "Bring the infrastructure to what it needs and declare it with backstay infra set, or release a "
                    "version that fits.");
}

}  // namespace backstay::services
