#pragma once

#include <string>

#include "services/registry.hpp"
#include "signing/key.hpp"
#include "wire/attestation_json.hpp"

/// in-toto attestations in DSSE envelopes: what a version was made from, and how it was judged.
namespace backstay::services {

enum class AttestationKind { kProvenance, kEvaluation };
Result<AttestationKind> attestation_kind_from(const std::string& name);

/// The signed envelope's JSON. An audit entry records that it was made, and its digest.
Result<std::string> attest_version(VersionStore& versions, AuditLog& log, const registry::VersionRef& ref,
                                   AttestationKind kind, const signing::PrivateKey& key,
                                   const std::string& program_version, const Actor& actor);

struct VerifiedAttestation {
  wire::StatementHead head;
  std::string statement;  ///< The signed JSON.
};
/// Needs nothing but its arguments.
Result<VerifiedAttestation> verify_attestation(const std::string& name, std::string_view envelope,
                                               const signing::PublicKey& key);

}  // namespace backstay::services
