#include "services/attest_version.hpp"

#include <fmt/format.h>

#include <set>

#include "signing/dsse.hpp"
#include "wire/bundle_json.hpp"

namespace backstay::services {

namespace {

Result<std::string> evaluation_of(VersionStore& versions, const registry::VersionRef& ref,
                                  const registry::Manifest& manifest) {
  TRY(const std::vector<registry::StoredScorecard> scorecards, versions.scorecards(ref));
  TRY(const std::vector<StoredVerdict> verdicts, versions.verdicts(ref));
  if (scorecards.empty() && verdicts.empty())
    return Unexpected(ErrorCode::kFailedPrecondition, fmt::format("{} was not evaluated.", ref.str()),
                      fmt::format("Add a scorecard and run: backstay gate {} --file GATE.yaml", ref.str()));
  std::set<std::string> gates;
  std::vector<wire::AttestedVerdict> newest;
  for (const StoredVerdict& verdict : verdicts) {
    if (!gates.insert(verdict.gate).second) continue;
    newest.push_back({verdict.gate, verdict.gate_digest, verdict.verdict, verdict.evidence, to_rfc3339(verdict.at),
                      verdict.decided_by});
  }
  return wire::evaluation_statement(manifest, scorecards, newest);
}

}  // namespace

Result<AttestationKind> attestation_kind_from(const std::string& name) {
  if (name == "provenance") return AttestationKind::kProvenance;
  if (name == "evaluation") return AttestationKind::kEvaluation;
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("There is no kind of attestation '{}'.", name),
                    "Use provenance or evaluation.");
}

Result<std::string> attest_version(VersionStore& versions, AuditLog& log, const registry::VersionRef& ref,
                                   AttestationKind kind, const signing::PrivateKey& key,
                                   const std::string& program_version, const Actor& actor) {
  TRY(const StoredVersion stored, versions.version(ref));
  TRY(const registry::Manifest manifest, manifest_of(stored));
  wire::Envelope envelope;
  envelope.payload_type = wire::kInTotoPayload;
  envelope.key_id = key.public_key().id();
  if (kind == AttestationKind::kProvenance) {
    envelope.payload = wire::provenance_statement(manifest, program_version);
  } else {
    TRY(envelope.payload, evaluation_of(versions, ref, manifest));
  }
  TRY(envelope.signature, key.sign(signing::pre_authentication(envelope.payload_type, envelope.payload)));
  const std::string text = wire::to_json(envelope);
  TRY_DO(log.append(
      {actor.name, "version.attest", ref.str(),
       kind == AttestationKind::kProvenance ? "What it was made from." : "How it was evaluated.",
       fmt::format("{{\"attestation_sha256\":\"{}\",\"key_sha256\":\"{}\"}}", sha256(text).hex(), envelope.key_id)}));
  return text;
}

Result<VerifiedAttestation> verify_attestation(const std::string& name, std::string_view text,
                                               const signing::PublicKey& key) {
  TRY(const wire::Envelope envelope, wire::envelope_from_json(name, text));
  if (envelope.payload_type != wire::kInTotoPayload)
    return Unexpected(ErrorCode::kUnsupported, fmt::format("{} does not hold an in-toto statement.", name),
                      "Give an attestation that backstay attest, or another program, wrote as in-toto.");
  auto good = key.verify(signing::pre_authentication(envelope.payload_type, envelope.payload), envelope.signature);
  if (!good) return Unexpected(std::move(good).error().within(name));
  TRY(wire::StatementHead head, wire::statement_head_from_json(name, envelope.payload));
  return VerifiedAttestation{std::move(head), envelope.payload};
}

}  // namespace backstay::services
