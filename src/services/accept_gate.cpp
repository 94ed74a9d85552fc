#include "services/accept_gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "signing/dsse.hpp"
#include "wire/bundle_json.hpp"

namespace backstay::services {

namespace {

constexpr std::chrono::hours kLongest{366 * 24};

Result<void> check_terms(const std::string& reason, milliseconds valid) {
  if (reason.find_first_not_of(" \t\r\n") == std::string::npos)
    return Unexpected(ErrorCode::kInvalidArgument, "An exception needs a reason.",
                      "Say with --reason why the version may be released all the same.");
  if (valid > milliseconds(0) && valid <= kLongest) return {};
  return Unexpected(ErrorCode::kInvalidArgument, "An exception lasts for more than nothing and at most 366 days.",
                    "Give --expires a duration like 7d.");
}

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
  TRY_DO(check_terms(reason, valid));
  TRY(const StoredVersion version, versions.version(ref));
  TRY(const StoredVerdict verdict, verdict_of(versions, ref, gate));
  const wire::GateExceptionStatement statement{
      ref.str(), version.identity, verdict.gate, verdict.gate_digest, sha256(verdict.evidence), verdict.verdict,
      reason,    actor.name,       now,          now + valid};
  wire::Envelope envelope;
  envelope.payload_type = wire::kInTotoPayload;
  envelope.payload = wire::to_json(statement);
  envelope.key_id = key.public_key().id();
  TRY(envelope.signature, key.sign(signing::pre_authentication(envelope.payload_type, envelope.payload)));
  GateException exception;
  exception.gate_sha256 = verdict.gate_digest;
  exception.envelope = wire::to_json(envelope);
  exception.reason = reason;
  exception.signed_by = actor.name;
  exception.expires = statement.expires;
  const nlohmann::json evidence{{"gate", verdict.gate},          {"gate_sha256", verdict.gate_digest.hex()},
                                {"verdict", verdict.verdict},    {"envelope_sha256", sha256(exception.envelope).hex()},
                                {"key_sha256", envelope.key_id}, {"expires", to_rfc3339(exception.expires)}};
  return exceptions.add_gate_exception(ref, exception, {actor.name, "gate.accept", ref.str(), reason, evidence.dump()});
}

Result<std::optional<wire::GateExceptionStatement>> exception_for(const TrustedExceptions& trusted,
                                                                  const StoredVersion& version,
                                                                  const StoredVerdict& verdict) {
  std::optional<wire::GateExceptionStatement> none;
  if (trusted.store == nullptr || trusted.keys.empty()) return none;
  TRY(const std::vector<GateException> all, trusted.store->gate_exceptions(version.ref));
  const Digest evidence = sha256(verdict.evidence);
  for (const GateException& exception : all) {
    const std::string name = fmt::format("exception {} of {}", exception.id, version.ref.str());
    TRY(const wire::Envelope envelope, wire::envelope_from_json(name, exception.envelope));
    const std::string signed_bytes = signing::pre_authentication(envelope.payload_type, envelope.payload);
    const bool good = std::any_of(trusted.keys.begin(), trusted.keys.end(), [&](const signing::PublicKey& key) {
      return key.verify(signed_bytes, envelope.signature).has_value();
    });
    if (!good || envelope.payload_type != wire::kInTotoPayload) continue;
    TRY(wire::GateExceptionStatement statement, wire::gate_exception_from_json(name, envelope.payload));
    const bool covers = statement.manifest_sha256 == version.identity && statement.gate_sha256 == verdict.gate_digest &&
                        statement.evidence_sha256 == evidence && trusted.now < statement.expires &&
                        statement.expires - statement.signed_at <= kLongest;
    if (covers) return std::optional(std::move(statement));
  }
  return none;
}

}  // namespace backstay::services
