#include "services/void_exceptions.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/bundle_json.hpp"

namespace backstay::services {

std::string why_void(const GateException& exception, const StoredVersion& version,
                     const std::vector<StoredVerdict>& verdicts, Timestamp now) {
  const auto envelope = wire::envelope_from_json("exception", exception.envelope);
  const auto statement = envelope ? wire::gate_exception_from_json("exception", envelope->payload)
                                  : Result<wire::GateExceptionStatement>(Unexpected(envelope.error()));
  if (!statement) return "can't be read";
  if (statement->terms.expires <= now) return fmt::format("expired at {}", to_rfc3339(statement->terms.expires));
  if (!in_force(statement->terms, version, now)) return "is not about this version";
  const auto newest = std::find_if(verdicts.begin(), verdicts.end(), [&](const StoredVerdict& verdict) {
    return verdict.gate_digest == statement->gate_sha256;
  });
  const bool about_it = newest != verdicts.end() && statement->evidence_sha256 == sha256(newest->evidence);
  return about_it ? "" : "is about an earlier verdict";
}

Result<std::string> why_not_covered(const TrustedExceptions& trusted, const StoredVersion& version,
                                    const StoredVerdict& verdict) {
  std::string out;
  if (trusted.gates == nullptr) return out;
  TRY(const std::vector<GateException> all, trusted.gates->gate_exceptions(version.ref));
  for (const GateException& exception : all) {
    if (exception.gate_sha256 != verdict.gate_digest) continue;
    const std::string name = fmt::format("exception {} of {}", exception.id, version.ref.str());
    TRY(const wire::Envelope envelope, wire::envelope_from_json(name, exception.envelope));
    TRY(const std::optional<std::string> text, trusted_statement(trusted, name, exception.envelope));
    const std::string whose =
        fmt::format("The exception of {} (key {}) ", exception.signed_by, envelope.key_id.substr(0, 16));
    if (text) return whose + why_void(exception, version, {verdict}, trusted.now) + ".";
    if (out.empty()) out = whose + "is signed with a key that is not trusted here.";
  }
  return out;
}

}  // namespace backstay::services
