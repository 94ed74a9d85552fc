#include "services/accept_gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace backstay::services {

namespace {

Result<StoredVerdict> verdict_of(const VersionStore& versions, const registry::VersionRef& ref,
                                 const std::string& gate) {
  TRY(const std::vector<StoredVerdict> verdicts, versions.verdicts(ref));
  const auto found =
      std::find_if(verdicts.begin(), verdicts.end(), [&](const StoredVerdict& v) { return v.gate == gate; });
  if (found == verdicts.end())
    return Unexpected(ErrorCode::kFailedPrecondition, fmt::format("No gate '{}' has judged {}.", gate, ref.str()),
                      fmt::format("Judge it first: backstay gate {} --file GATE.yaml", ref.str()));
  if (found->verdict == "PASS")
    return Unexpected(ErrorCode::kConflict, fmt::format("Gate '{}' says PASS about {}.", gate, ref.str()),
                      "Only what did not pass needs an exception.");
  return *found;
}

}  // namespace

Result<GateException> accept_gate(const VersionStore& versions, GateExceptionStore& exceptions,
                                  const registry::VersionRef& ref, const std::string& gate, const std::string& reason,
                                  milliseconds valid, const signing::PrivateKey& key, const Actor& actor,
                                  Timestamp now) {
  TRY(const StoredVersion version, versions.version(ref));
  TRY(const wire::ExceptionTerms terms, exception_terms(version, reason, valid, actor, now));
  TRY(const StoredVerdict verdict, verdict_of(versions, ref, gate));
  GateException exception;
  TRY(exception.envelope,
      sign_statement(wire::to_json(wire::GateExceptionStatement{terms, verdict.gate, verdict.gate_digest,
                                                                sha256(verdict.evidence), verdict.verdict}),
                     key));
  exception.gate_sha256 = verdict.gate_digest;
  exception.reason = reason;
  exception.signed_by = actor.name;
  exception.expires = terms.expires;
  const nlohmann::json evidence{{"gate", verdict.gate},
                                {"gate_sha256", verdict.gate_digest.hex()},
                                {"verdict", verdict.verdict},
                                {"envelope_sha256", sha256(exception.envelope).hex()},
                                {"key_sha256", key.public_key().id()},
                                {"expires", to_rfc3339(exception.expires)}};
  return exceptions.add_gate_exception(ref, exception, {actor.name, "gate.accept", ref.str(), reason, evidence.dump()});
}

Result<std::optional<wire::GateExceptionStatement>> exception_for(const TrustedExceptions& trusted,
                                                                  const StoredVersion& version,
                                                                  const StoredVerdict& verdict) {
  std::optional<wire::GateExceptionStatement> none;
  if (trusted.gates == nullptr || trusted.keys.empty()) return none;
  TRY(const std::vector<GateException> all, trusted.gates->gate_exceptions(version.ref));
  const Digest evidence = sha256(verdict.evidence);
  for (const GateException& exception : all) {
    const std::string name = fmt::format("exception {} of {}", exception.id, version.ref.str());
    TRY(const std::optional<std::string> text, trusted_statement(trusted, name, exception.envelope));
    if (!text) continue;
    TRY(wire::GateExceptionStatement statement, wire::gate_exception_from_json(name, *text));
    if (in_force(statement.terms, version, trusted.now) && statement.gate_sha256 == verdict.gate_digest &&
        statement.evidence_sha256 == evidence)
      return std::optional(std::move(statement));
  }
  return none;
}

}  // namespace backstay::services
