#include "services/evaluate_gate.hpp"

#include <fmt/format.h>

#include <set>

#include "services/accept_scan.hpp"
#include "services/scan_version.hpp"
#include "services/void_exceptions.hpp"
#include "wire/scorecard_json.hpp"

namespace backstay::services {

namespace {

Result<gates::ScanEvidence> scan_evidence(const VersionStore& versions, const registry::VersionRef& ref,
                                          Timestamp now) {
  TRY(const ScanStanding standing, scan_standing(versions, ref, now));
  gates::ScanEvidence evidence;
  if (!standing.newest) return evidence;
  const scan::Report& report = standing.newest->report;
  evidence.verdict = report.verdict;
  if (report.verdict != scan::Verdict::kSafe) evidence.found = scan_summary(report, report.verdict);
  if (standing.exception)
    evidence.accepted =
        fmt::format("{} (until {})", standing.exception->signed_by, to_rfc3339(standing.exception->expires));
  return evidence;
}

}  // namespace

Result<GateDecision> evaluate_gate(VersionStore& versions, const registry::VersionRef& ref,
                                   const std::string& gate_name, const std::string& gate_text, const Actor& actor,
                                   Timestamp now) {
  TRY(const wire::Document document, wire::Document::from_yaml(gate_name, gate_text));
  TRY(const gates::Gate gate, wire::gate_from(document));
  TRY(const StoredVersion version, versions.version(ref));
  TRY(const registry::Manifest manifest, manifest_of(version));
  TRY(const std::vector<registry::StoredScorecard> scorecards, versions.scorecards(ref));

  GateDecision decision;
  decision.warnings = gates::doubts(gate);
  TRY(const gates::ScanEvidence scan, scan_evidence(versions, ref, now));
  TRY(const std::optional<registry::VersionRef> production, production_of(versions, ref));
  decision.verdict = gates::evaluate(gate, manifest, scorecards, &scan, production ? production->str() : "");
  StoredVerdict& stored = decision.stored;
  stored.gate = gate.name;
  stored.gate_digest = sha256(gate_text);
  stored.verdict = gates::to_string(decision.verdict.decision);
  stored.evidence = wire::to_json(decision.verdict);
  stored.decided_by = actor.name;
  const std::vector<std::string> written = wire::rules_by_hand(stored.evidence);
  const std::string hand = written.empty()
                               ? ""
                               : fmt::format(" Scorecards that were written by hand decide {} of its {} rules.",
                                             written.size(), gate.rules.size());
  TRY(stored,
      versions.add_verdict(ref, stored,
                           {actor.name, "gate.verdict", ref.str(),
                            fmt::format("Gate '{}' says {}.{}", gate.name, stored.verdict, hand), stored.evidence}));
  return decision;
}

Result<void> check_releasable(VersionStore& versions, const StoredVersion& version,
                              const TrustedExceptions& exceptions) {
  const std::string name = version.ref.str();
  if (!version.complete) {
    TRY(const registry::Manifest manifest, manifest_of(version));
    return Unexpected(
        ErrorCode::kFailedPrecondition,
        fmt::format("{} is incomplete: it lacks {}.", name, fmt::join(registry::missing_parts(manifest), ", ")),
        "Register a new version that says what it was made from and why.");
  }
  TRY_DO(check_scan(versions, version, exceptions));
  TRY(const std::vector<StoredVerdict> verdicts, versions.verdicts(version.ref));
  if (verdicts.empty())
    return Unexpected(ErrorCode::kFailedPrecondition, fmt::format("{} has passed no gate.", name),
                      fmt::format("Run: backstay gate {} --file GATE.yaml", name));
  std::set<std::string> judged;
  for (const StoredVerdict& verdict : verdicts) {
    if (!judged.insert(verdict.gate).second || verdict.verdict == "PASS") continue;
    TRY(const auto exception, exception_for(exceptions, version, verdict));
    if (exception) continue;
    TRY(const std::string but, why_not_covered(exceptions, version, verdict));
    return Unexpected(
        ErrorCode::kFailedPrecondition,
        fmt::format("Gate '{}' says {} about {}.{}", verdict.gate, verdict.verdict, name, but.empty() ? "" : " " + but),
        "backstay show tells which rule; add the scorecards it needs, or register a better version.");
  }
  return {};
}

}  // namespace backstay::services
