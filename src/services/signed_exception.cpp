#include "services/signed_exception.hpp"

#include <algorithm>

#include "signing/dsse.hpp"
#include "wire/bundle_json.hpp"

namespace backstay::services {

namespace {

constexpr std::chrono::hours kLongest{366 * 24};

}  // namespace

Result<wire::ExceptionTerms> exception_terms(const StoredVersion& version, const std::string& reason,
                                             milliseconds valid, const Actor& actor, Timestamp now) {
  if (reason.find_first_not_of(" \t\r\n") == std::string::npos)
    return Unexpected(ErrorCode::kInvalidArgument, "An exception needs a reason.",
                      "Say with --reason why the version may be released all the same.");
  if (valid <= milliseconds(0) || valid > kLongest)
    return Unexpected(ErrorCode::kInvalidArgument, "An exception lasts for more than nothing and at most 366 days.",
                      "Give --expires a duration like 7d.");
  return wire::ExceptionTerms{version.ref.str(), version.identity, reason, actor.name, now, now + valid};
}

Result<std::string> sign_statement(const std::string& statement, const signing::PrivateKey& key) {
  wire::Envelope envelope;
  envelope.payload_type = wire::kInTotoPayload;
  envelope.payload = statement;
  envelope.key_id = key.public_key().id();
  TRY(envelope.signature, key.sign(signing::pre_authentication(envelope.payload_type, envelope.payload)));
  return wire::to_json(envelope);
}

Result<std::optional<std::string>> trusted_statement(const TrustedExceptions& trusted, const std::string& name,
                                                     const std::string& envelope) {
  TRY(wire::Envelope opened, wire::envelope_from_json(name, envelope));
  const std::string signed_bytes = signing::pre_authentication(opened.payload_type, opened.payload);
  const bool good = std::any_of(trusted.keys.begin(), trusted.keys.end(), [&](const signing::PublicKey& key) {
    return key.verify(signed_bytes, opened.signature).has_value();
  });
  if (!good || opened.payload_type != wire::kInTotoPayload) return std::optional<std::string>();
  return std::optional(std::move(opened.payload));
}

bool in_force(const wire::ExceptionTerms& terms, const StoredVersion& version, Timestamp now) {
  return terms.manifest_sha256 == version.identity && now < terms.expires &&
         terms.expires - terms.signed_at <= kLongest;
}

}  // namespace backstay::services
