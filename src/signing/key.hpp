#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

/// Signing keys, over OpenSSL's EVP. Ed25519 signs the audit log's checkpoints and attestations; the NIST curves are
/// what OpenSSF Model Signing knows.
namespace backstay::signing {

enum class KeyType { kEd25519, kP256, kP384, kP521 };
/// "ed25519", "p256", "p384", "p521"
const char* to_string(KeyType type);
Result<KeyType> key_type_from(std::string_view name);
bool is_elliptic_curve(KeyType type);

struct FreeKey {
  void operator()(void* key) const;
};
/// An EVP_PKEY. Shared because copies of a key are the same key; never changed once made.
using KeyHandle = std::shared_ptr<void>;

/// Thread-safe.
class PublicKey {
 public:
  /// "-----BEGIN PUBLIC KEY-----" (SubjectPublicKeyInfo).
  static Result<PublicKey> from_pem(std::string_view pem);
  static Result<PublicKey> from_ed25519(std::string_view raw_32_bytes);
  /// Fails on a key of another kind than KeyType's.
  static Result<PublicKey> from_handle(KeyHandle key);

  KeyType type() const { return type_; }
  std::string pem() const;
  /// Of an Ed25519 key: its 32 bytes.
  std::string ed25519() const;
  /// SHA-256 of the PEM text, in hex: how a Sigstore bundle of model-signing names the key.
  std::string id() const;
  bool operator==(const PublicKey& other) const { return pem() == other.pem(); }

  /// Ed25519, or ECDSA in DER with the curve's digest (SHA-256, SHA-384, SHA-512). kIntegrity when it doesn't verify.
  Result<void> verify(std::string_view message, std::string_view signature) const;

 private:
  PublicKey(KeyHandle key, KeyType type) : key_(std::move(key)), type_(type) {}
  KeyHandle key_;
  KeyType type_;
};

/// Thread-safe. Its PEM is a secret: it goes nowhere but into a file of its owner's (write_private_key).
class PrivateKey {
 public:
  static Result<PrivateKey> generate(KeyType type);
  /// PKCS #8 or SEC 1, unencrypted.
  static Result<PrivateKey> from_pem(std::string_view pem);

  KeyType type() const { return public_.type(); }
  const PublicKey& public_key() const { return public_; }
  /// PKCS #8.
  std::string pem() const;
  Result<std::string> sign(std::string_view message) const;

 private:
  PrivateKey(KeyHandle key, PublicKey of) : key_(std::move(key)), public_(std::move(of)) {}
  KeyHandle key_;
  PublicKey public_;
};

}  // namespace backstay::signing
