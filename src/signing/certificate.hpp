#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "signing/key.hpp"

namespace backstay::signing {

/// An X.509 certificate. Never changed once made; thread-safe.
class Certificate {
 public:
  static Result<Certificate> from_der(std::string_view der);
  /// Every certificate in a PEM text, at least one and at most 100.
  static Result<std::vector<Certificate>> all_from_pem(std::string_view pem);

  std::string der() const;
  /// "CN=release,O=Example" (RFC 2253).
  std::string subject() const;
  Result<PublicKey> public_key() const;

 private:
  friend Result<PublicKey> verify_chain(const std::vector<Certificate>& chain, const std::vector<Certificate>& roots);
  explicit Certificate(std::shared_ptr<void> x509) : x509_(std::move(x509)) {}
  std::shared_ptr<void> x509_;
};

/// The key that the first certificate of `chain` holds, if the chain leads to one of `roots` (self-signed ones) and the
/// certificate is for signing: key usage digitalSignature or extended key usage codeSigning. As model-signing does, the
/// chain is judged at the time from which the signing certificate is valid, so that a signature outlives its
/// certificate. kIntegrity with OpenSSL's reason otherwise.
Result<PublicKey> verify_chain(const std::vector<Certificate>& chain, const std::vector<Certificate>& roots);

}  // namespace backstay::signing
