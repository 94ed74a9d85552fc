#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "ports/signature_store.hpp"
#include "services/registry.hpp"
#include "signing/certificate.hpp"
#include "signing/key.hpp"
#include "wire/model_signature.hpp"

/// Signatures of versions in the format of OpenSSF Model Signing: model.sig, a Sigstore bundle.
namespace backstay::services {

/// Who signs: a key on P-256, P-384 or P-521, and the certificates that vouch for it, the key's own first, if there
/// are.
struct ModelSigner {
  signing::PrivateKey key;
  std::vector<signing::Certificate> certificates;
};

/// Signs a version's artifacts and its identity; stores the signature with the version. `meaning` is what the signer
/// means by it ("approved for release"); it is signed too.
Result<StoredSignature> sign_version(VersionStore& versions, SignatureStore& signatures,
                                     const registry::VersionRef& ref, const ModelSigner& signer,
                                     const std::string& meaning, const Actor& actor, Timestamp now);

/// Whom a verifier trusts: a key, or the certificates that a signer's chain must lead to.
struct Trust {
  std::optional<signing::PublicKey> key;
  std::vector<signing::Certificate> roots;
};

struct VerifiedSignature {
  wire::ModelStatement statement;
  std::string signer;  ///< The key's id, or the subject of the certificate.
};
/// What a bundle says, if someone who is trusted signed it.
Result<VerifiedSignature> verify_bundle(const std::string& name, std::string_view bundle, const Trust& trust);

/// Are the signed files exactly the version's, and is the signature meant for this version? kIntegrity if not.
Result<void> check_signed_version(const wire::ModelStatement& statement, const StoredVersion& version);

/// Are the signed files exactly those in the folder? Ignored are the paths that the signer says and, as model-signing
/// does, git's; `signature_file` too. Symbolic links and special files elsewhere are refused. Gives the number of
/// files.
Result<std::size_t> check_signed_folder(const wire::ModelStatement& statement, const std::filesystem::path& folder,
                                        const std::filesystem::path& signature_file);

}  // namespace backstay::services
