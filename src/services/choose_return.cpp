#include "services/choose_return.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "services/check_rollout.hpp"
#include "services/evaluate_gate.hpp"

namespace backstay::services {

namespace {

using nlohmann::json;

constexpr std::size_t kHistory = 200;
constexpr std::size_t kMostTargets = 20;

/// Former stable versions, newest first, the standby before all.
Result<std::vector<std::string>> former_versions(const Records& records, const EndpointRecord& record) {
  TRY(const std::vector<rollout::State> history, records.rollouts.rollouts(record.endpoint, kHistory));
  std::vector<std::string> out;
  std::set<std::string> seen{record.stable, ""};
  const auto add = [&](const std::string& version) {
    if (out.size() < kMostTargets && seen.insert(version).second) out.push_back(version);
  };
  add(record.standby);
  for (const rollout::State& state : history) {
    const bool done = state.phase == rollout::Phase::kDone;
    if (done) add(state.candidate);
    // Whoever left it by hand knew why. Newer releases of it are in the list by now, older ones no longer count. What
    // was left for a model that it needs did nothing wrong.
    if (done && state.revert && state.started_by != rollout::kSelf) {
      seen.insert(state.stable);
    } else {
      add(state.stable);
    }
  }
  return out;
}

/// Why the newest return from the version that serves to this one came to nothing; empty: there was none that did.
Result<std::string> why_it_failed(const Records& records, const EndpointRecord& record, const std::string& version) {
  TRY(const std::vector<rollout::State> history, records.rollouts.rollouts(record.endpoint, kHistory));
  for (const rollout::State& state : history) {
    if (state.phase == rollout::Phase::kDone) break;  // Since then it serves what it serves.
    if (!state.revert || state.candidate != version || !state.cause) continue;
    return fmt::format("{} could not bring it back: {}", state.id, state.cause->reason);
  }
  return std::string();
}

std::string reason_of(const Result<void>& result) {
  return result ? std::string() : result.error().message;
}

/// A rollback by a guardrail that nothing answered since speaks against a version, like a gate.
std::string not_releasable(const Records& records, const EndpointRecord& record, const ReleaseRules& rules,
                           const registry::VersionRef& ref) {
  const auto version = records.versions.version(ref);
  if (!version) return version.error().message;
  if (auto result = check_releasable(records.versions, *version, rules.exceptions); !result)
    return result.error().message;
  if (auto result = check_required(records, record.endpoint, *version, rules); !result) return result.error().message;
  return reason_of(check_taken_back(records, record.endpoint, ref));
}

const char* state_of(const ReturnTarget& target) {
  if (!target.unfit.empty()) return "does not fit";
  if (!target.not_releasable.empty())
    return target.warm ? "would not be released today, is warm" : "would not be released today, has to be started";
  return target.warm ? "fits, would be released today, is warm" : "fits, would be released today, has to be started";
}

}  // namespace

ReturnChoice choose_among(const std::vector<ReturnTarget>& targets, const std::string& leaves) {
  const auto first = [&](auto&& holds) { return std::find_if(targets.begin(), targets.end(), holds); };
  const auto fits = [](const ReturnTarget& t) { return t.unfit.empty(); };
  const auto good = [](const ReturnTarget& t) { return t.unfit.empty() && t.not_releasable.empty(); };
  const auto untried = [](const ReturnTarget& t) { return t.failed.empty(); };
  const auto is_warm = [&](const ReturnTarget& t) { return fits(t) && t.warm; };
  auto chosen = first([&](const ReturnTarget& t) { return good(t) && t.warm; });
  if (chosen == targets.end()) chosen = first([&](const ReturnTarget& t) { return good(t) && untried(t); });
  if (chosen == targets.end()) chosen = first(is_warm);
  if (chosen == targets.end()) chosen = first([&](const ReturnTarget& t) { return fits(t) && untried(t); });
  if (chosen == targets.end()) chosen = first(good);
  if (chosen == targets.end()) chosen = first(fits);
  const auto instead = first(is_warm);
  ReturnChoice out;
  json looked_at = json::array();
  std::string others;
  for (const ReturnTarget& target : targets) {
    json item{{"version", target.version},
              {"fits", target.unfit.empty()},
              {"releasable", target.not_releasable.empty()},
              {"warm", target.warm}};
    const std::string& against = !target.unfit.empty()            ? target.unfit
                                 : !target.not_releasable.empty() ? target.not_releasable
                                                                  : target.failed;
    if (!against.empty()) item["why_not"] = against;
    looked_at.push_back(std::move(item));
    const bool better = chosen != targets.end() && good(target) && !good(*chosen);
    if (chosen == targets.end() || &target < &*chosen || better)
      others += fmt::format("{}{}: {}", others.empty() ? "" : "; ", target.version,
                            against.empty() ? state_of(target) : against);
  }
  if (chosen != targets.end()) {
    out.version = chosen->version;
    if (instead != targets.end() && !chosen->warm) out.instead = instead->version;
    out.why = fmt::format("{} {}", chosen->version, state_of(*chosen));
    if (!chosen->not_releasable.empty())
      out.why += fmt::format(" ({}), and no better one fits", chosen->not_releasable);
    if (!others.empty()) out.why += fmt::format("; passed over {}", others);
    out.why += ".";
  } else if (targets.empty()) {
    out.why = fmt::format("No version served here before {}.", leaves);
  } else {
    out.why = fmt::format("None of the versions that served here before {} may serve now: {}.", leaves, others);
  }
  json evidence{{"chosen", out.version}, {"looked_at", std::move(looked_at)}, {"why", out.why}};
  if (!out.instead.empty()) evidence["should_it_fail"] = out.instead;
  out.evidence = evidence.dump(-1, ' ', false, json::error_handler_t::replace);
  return out;
}

Result<ReturnChoice> choose_return(const Records& records, const EndpointRecord& record, const ReleaseRules& rules,
                                   const IsWarm& is_warm) {
  TRY(const std::vector<std::string> versions, former_versions(records, record));
  std::vector<ReturnTarget> targets;
  for (const std::string& text : versions) {
    const auto number = registry::SemanticVersion::parse(text);
    if (!number) continue;
    const registry::VersionRef ref{record.model, *number};
    TRY(std::string failed, why_it_failed(records, record, text));
    const bool warm = is_warm(record.endpoint, text);
    // It was to be ready all the time: that it isn't is a failure, unlike that of a version nobody has started yet.
    if (failed.empty() && !warm && text == record.standby)
      failed = fmt::format("{} is kept running as the standby, and is not ready now", text);
    targets.push_back({text, reason_of(check_return(records, ref)), not_releasable(records, record, rules, ref), warm,
                       std::move(failed)});
  }
  return choose_among(targets, record.stable);
}

}  // namespace backstay::services
