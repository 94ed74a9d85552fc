#include "services/check_rollout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "domain/rollout/damping.hpp"
#include "services/evaluate_gate.hpp"
#include "services/find_dependents.hpp"
#include "services/lineage.hpp"
#include "services/look_back.hpp"
#include "wire/scorecard_json.hpp"

namespace backstay::services {

namespace {

constexpr std::size_t kHistory = 1'000;

template <class T>
Timestamp newest_of(const std::vector<T>& items) {
  Timestamp newest{};
  for (const T& item : items) newest = std::max(newest, item.at);
  return newest;
}

/// Whether a verdict is about less than was measured of its version. By the log's order: clocks are set.
bool is_outdated(const StoredVerdict& verdict, const std::vector<registry::StoredScorecard>& scorecards) {
  return std::any_of(scorecards.begin(), scorecards.end(), [&](const registry::StoredScorecard& card) {
    const bool of_before = card.sequence == 0 && verdict.sequence == 0;  // Of a registry that had none yet.
    return of_before ? card.at > verdict.at : card.sequence > verdict.sequence;
  });
}

// A verdict counts as long as it is about all that was measured.
Result<void> check_current(const Records& records, const registry::VersionRef& candidate) {
  TRY(const std::vector<registry::StoredScorecard> scorecards, records.versions.scorecards(candidate));
  TRY(const std::vector<StoredVerdict> verdicts, records.versions.verdicts(candidate));
  std::set<std::string> judged;
  for (const StoredVerdict& verdict : verdicts) {
    if (!judged.insert(verdict.gate).second || !is_outdated(verdict, scorecards)) continue;
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

// The newest verdict of each gate counts, by its digest.
Result<void> check_required(const Records& records, const std::string& endpoint, const StoredVersion& candidate,
                            const ReleaseRules& rules) {
  TRY(const std::vector<StoredVerdict> verdicts, records.versions.verdicts(candidate.ref));
  TRY(const std::vector<registry::StoredScorecard> scorecards, records.versions.scorecards(candidate.ref));
  for (const RequiredGate& gate : rules.required) {
    const std::string digest = "sha256:" + gate.sha256.hex();
    const std::string name = gate.file.empty() ? digest : fmt::format("{} ({})", gate.file, digest.substr(0, 19));
    const auto newest = std::find_if(verdicts.begin(), verdicts.end(),
                                     [&](const StoredVerdict& verdict) { return verdict.gate_digest == gate.sha256; });
    std::string why;
    if (newest == verdicts.end()) {
      const bool other = std::any_of(verdicts.begin(), verdicts.end(),
                                     [](const StoredVerdict& verdict) { return verdict.verdict == "PASS"; });
      why = other ? "has passed gates, but not this one" : "has not passed it";
    } else if (is_outdated(*newest, scorecards)) {
      why = "was measured again since it was judged";
    } else if (newest->verdict != "PASS") {
      TRY(const auto exception, exception_for(rules.exceptions, candidate, *newest));
      if (exception) continue;
      why = fmt::format("got {} from it", newest->verdict);
    } else {
      continue;
    }
    return Unexpected(
        ErrorCode::kFailedPrecondition,
        fmt::format("Endpoint '{}' requires the gate {}, and {} {}.", endpoint, name, candidate.ref.str(), why),
        fmt::format("Judge it by exactly that file: backstay gate {} --file {}", candidate.ref.str(),
                    gate.file.empty() ? "GATE.yaml" : gate.file));
  }
  return {};
}

namespace {

/// What became known of a version since a rollout of it ended.
struct Since {
  bool measured = false;
  bool judged = false;
};

/// By the log's order, which no clock changes; nullopt: the log does not name the rollout.
Result<std::optional<Since>> known_since(const Records& records, const rollout::State& state, const std::string& ref) {
  Since since;
  const std::string named = fmt::format(R"("rollout":"{}")", state.id);
  TRY(const bool found, look_back(records.audit, [&](const audit::Entry& entry) {
        if (entry.draft.subject == ref) {
          since.measured = since.measured || entry.draft.action == "scorecard.add";
          since.judged = since.judged || entry.draft.action == "gate.verdict";
        }
        const bool ended = entry.draft.action == "rollout.rollback" || entry.draft.action == "rollout.done";
        return ended && entry.draft.evidence.find(named) != std::string::npos ? Look::kFound : Look::kGoOn;
      }));
  return found ? std::optional(since) : std::nullopt;
}

bool was_taken_back(const rollout::State& state, const std::string& number, TakenBackBy by) {
  const bool anyone = by == TakenBackBy::kAnyone;
  if (state.candidate == number && state.cause)
    return state.cause->trigger == "guardrail" || (anyone && state.cause->trigger != "dependency");
  // Left by hand for a version before it.
  const bool left = state.revert && state.phase == rollout::Phase::kDone && state.stable == number;
  return anyone && left && state.started_by != rollout::kSelf;
}

}  // namespace

Result<void> check_taken_back(const Records& records, const std::string& endpoint,
                              const registry::VersionRef& candidate, TakenBackBy by) {
  const std::string number = candidate.version.str();
  TRY(const std::vector<registry::StoredScorecard> scorecards, records.versions.scorecards(candidate));
  TRY(const std::vector<StoredVerdict> verdicts, records.versions.verdicts(candidate));
  TRY(const std::vector<rollout::State> history, records.rollouts.rollouts(endpoint, kHistory));
  for (const rollout::State& state : history) {
    if (!was_taken_back(state, number, by)) continue;
    // The same evidence judged again says the same: what traffic showed is not in it.
    TRY(std::optional<Since> since, known_since(records, state, candidate.str()));
    if (!since) since = {newest_of(scorecards) > state.phase_since, newest_of(verdicts) > state.phase_since};
    const bool measured = since->measured;
    if (measured && since->judged) continue;
    return Unexpected(
        ErrorCode::kFailedPrecondition,
        fmt::format("{} {} in {}, and {} since{}{}",
                    state.cause && state.cause->trigger != "guardrail" ? state.cause->actor + " took"
                    : state.cause                                      ? "A guardrail took"
                                                                       : state.started_by + " left",
                    state.cause ? candidate.str() + " back" : candidate.str(), state.id,
                    measured ? "no gate judged it" : "nothing was measured", state.cause ? ": " : ".",
                    state.cause ? state.cause->reason : ""),
        "Fix it in a new version, or add what was learned to its scorecards (backstay scorecard add) and judge it "
        "again with backstay gate.");
  }
  return {};
}

Result<void> check_rollout(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate,
                           const ReleaseRules& rules) {
  TRY(const StoredVersion version, records.versions.version(candidate));
  TRY(const std::optional<EndpointRecord> record, records.rollouts.endpoint(endpoint));
  if (record && record->model == candidate.model && record->stable == candidate.version.str())
    return Unexpected(ErrorCode::kConflict, fmt::format("Endpoint '{}' serves {} already.", endpoint, candidate.str()),
                      "There is nothing to roll out; name another version.");
  TRY_DO(check_return(records, candidate));  // What is blocked stays so, whatever is restored.
  TRY_DO(check_not_archived(version));
  return check_eligible(records, endpoint, candidate, rules);
}

Result<void> check_eligible(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate,
                            const ReleaseRules& rules) {
  TRY(const StoredVersion version, records.versions.version(candidate));
  TRY_DO(check_return(records, candidate));
  TRY_DO(check_releasable(records.versions, version, rules.exceptions));
  TRY_DO(check_current(records, candidate));
  TRY_DO(check_required(records, endpoint, version, rules));
  return check_taken_back(records, endpoint, candidate);
}

Result<void> check_damping(const Records& records, const std::string& endpoint, const registry::VersionRef& candidate,
                           Timestamp now) {
  TRY(const std::vector<rollout::State> history, records.rollouts.rollouts(endpoint, kHistory));
  const auto damping = rollout::damped(history, candidate.version.str(), now);
  if (!damping) return {};
  return Unexpected(
      ErrorCode::kFailedPrecondition,
      fmt::format("{}: no release of {} before {}.", damping->reason, candidate.str(), to_rfc3339(damping->until)),
      "Find out why, and release something better; or answer for it yourself with --force and a --reason.");
}

Result<void> check_start(const Records& records, const rollout::State& started, const std::string& model,
                         const ReleaseRules& rules, Timestamp now) {
  TRY(registry::SemanticVersion version, registry::SemanticVersion::parse(started.candidate));
  const registry::VersionRef candidate{model, std::move(version)};
  TRY_DO(check_rollout(records, started.endpoint, candidate, rules));
  return started.forced ? Result<void>() : check_damping(records, started.endpoint, candidate, now);
}

Result<std::vector<std::string>> weak_evidence(const Records& records, const registry::VersionRef& candidate,
                                               const ReleaseRules& rules) {
  std::vector<std::string> out;
  TRY(const StoredVersion version, records.versions.version(candidate));
  TRY(const std::vector<StoredVerdict> verdicts, records.versions.verdicts(candidate));
  std::set<std::string> judged;
  for (const StoredVerdict& verdict : verdicts) {
    if (!judged.insert(verdict.gate).second) continue;
    if (const std::vector<std::string> written = wire::rules_by_hand(verdict.evidence); !written.empty())
      out.push_back(fmt::format("Gate '{}' said {} on scorecards that were written by hand: {}.", verdict.gate,
                                verdict.verdict, fmt::join(written, ", ")));
    if (verdict.verdict == "PASS") continue;
    TRY(const auto exception, exception_for(rules.exceptions, version, verdict));
    if (exception)
      out.push_back(fmt::format("Gate '{}' said {}: {} answers for it until {} ({}).", verdict.gate, verdict.verdict,
                                exception->terms.signed_by, to_rfc3339(exception->terms.expires),
                                exception->terms.reason));
  }
  return out;
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
  registry::DependencyCheck check = registry::check_dependencies(manifest.dependencies, live);
  TRY(const std::vector<registry::LiveModel> models, live_models(records));
  for (registry::Mismatch& mismatch : registry::check_models(manifest.dependencies, models))
    check.mismatches.push_back(std::move(mismatch));
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
