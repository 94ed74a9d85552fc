#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

/// Signatures in files: DSSE envelopes (secure-systems-lab/dsse) and the Sigstore bundles around them that OpenSSF
/// Model Signing writes. Only their form is read here; what they claim is for services/ to check.
namespace backstay::wire {

inline constexpr const char* kInTotoPayload = "application/vnd.in-toto+json";

struct Envelope {
  std::string payload;  ///< The bytes that were signed, as they were.
  std::string payload_type;
  std::string signature;  ///< Bytes.
  std::string key_id;     ///< Unauthenticated; may be empty.
};
std::string to_json(const Envelope& envelope);
/// An envelope with exactly one signature.
Result<Envelope> envelope_from_json(const std::string& name, std::string_view text);

/// Version 0.3, without transparency log entries: these signatures are made with keys and certificates.
struct Bundle {
  Envelope envelope;
  std::string key_hint;                   ///< Hex SHA-256 of the public key's PEM; empty with certificates.
  std::vector<std::string> certificates;  ///< DER, the signer's first; empty with a key.
};
std::string to_json(const Bundle& bundle);
Result<Bundle> bundle_from_json(const std::string& name, std::string_view text);

}  // namespace backstay::wire
