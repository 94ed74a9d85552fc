#include "signing/key.hpp"

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>

#include "base/digest.hpp"
#include "signing/openssl.hpp"

namespace backstay::signing {

namespace {

constexpr std::size_t kMaxPemBytes = 64 * 1024;

struct TypeName {
  KeyType type;
  const char* name;
  const char* group;  ///< OpenSSL's name of the curve.
};
constexpr std::array<TypeName, 4> kTypes{{{KeyType::kEd25519, "ed25519", ""},
                                          {KeyType::kP256, "p256", "prime256v1"},
                                          {KeyType::kP384, "p384", "secp384r1"},
                                          {KeyType::kP521, "p521", "secp521r1"}}};

using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;

EVP_PKEY* pkey(const KeyHandle& key) {
  return static_cast<EVP_PKEY*>(key.get());
}

KeyHandle own(EVP_PKEY* key) {
  return {key, FreeKey{}};
}

Unexpected failed(const char* what) {
  ERR_clear_error();
  return Unexpected(ErrorCode::kInternal, fmt::format("OpenSSL can't {}.", what), "Check the OpenSSL installation.");
}

/// OpenSSL would ask for a passphrase on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return -1;
}

Bio reader(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string written(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

const EVP_MD* digest_of(KeyType type) {
  switch (type) {
    case KeyType::kEd25519: return nullptr;
    case KeyType::kP256: return EVP_sha256();
    case KeyType::kP384: return EVP_sha384();
    case KeyType::kP521: return EVP_sha512();
  }
  return nullptr;
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

void FreeKey::operator()(void* key) const {
  EVP_PKEY_free(static_cast<EVP_PKEY*>(key));
}

const char* to_string(KeyType type) {
  for (const TypeName& known : kTypes) {
    if (known.type == type) return known.name;
  }
  return "";
}

Result<KeyType> key_type_from(std::string_view name) {
  for (const TypeName& known : kTypes) {
    if (known.name == name) return known.type;
  }
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("There is no kind of key '{}'.", name),
                    "Use ed25519, p256, p384 or p521.");
}

bool is_elliptic_curve(KeyType type) {
  return type != KeyType::kEd25519;
}

Result<PublicKey> PublicKey::from_handle(KeyHandle key) {
  if (key != nullptr) {
    if (EVP_PKEY_is_a(pkey(key), "ED25519") == 1) return PublicKey(std::move(key), KeyType::kEd25519);
    std::array<char, 64> group{};
    if (EVP_PKEY_is_a(pkey(key), "EC") == 1 &&
        EVP_PKEY_get_group_name(pkey(key), group.data(), group.size(), nullptr) == 1) {
      for (const TypeName& known : kTypes) {
        if (std::string_view(known.group) == group.data()) return PublicKey(std::move(key), known.type);
      }
    }
  }
  ERR_clear_error();
  return Unexpected(ErrorCode::kUnsupported, "The key is of a kind that isn't used here.",
                    "Use Ed25519 or an ECDSA key on P-256, P-384 or P-521.");
}

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  EVP_PKEY* key = nullptr;
  if (pem.size() <= kMaxPemBytes) key = PEM_read_bio_PUBKEY(reader(pem).get(), nullptr, no_passphrase, nullptr);
  ERR_clear_error();
  if (key == nullptr)
    return Unexpected(ErrorCode::kInvalidArgument, "The text is not a public key in PEM form.",
                      "It begins with -----BEGIN PUBLIC KEY-----.");
  return from_handle(own(key));
}

Result<PublicKey> PublicKey::from_ed25519(std::string_view raw) {
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(raw), raw.size());
  ERR_clear_error();
  if (raw.size() != 32 || key == nullptr) {
    EVP_PKEY_free(key);
    return Unexpected(ErrorCode::kInvalidArgument, "An Ed25519 public key has 32 bytes.", "Check the key's text.");
  }
  return PublicKey(own(key), KeyType::kEd25519);
}

std::string PublicKey::pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PUBKEY(bio.get(), pkey(key_)) != 1) ERR_clear_error();
  return written(bio);
}

std::string PublicKey::ed25519() const {
  std::string raw(32, '\0');
  std::size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(pkey(key_), reinterpret_cast<unsigned char*>(raw.data()), &size) != 1) {
    ERR_clear_error();
    return "";
  }
  return raw;
}

std::string PublicKey::id() const {
  return sha256(pem()).hex();
}

Result<void> PublicKey::verify(std::string_view message, std::string_view signature) const {
  const DigestContext context(EVP_MD_CTX_new());
  const bool good =
      EVP_DigestVerifyInit(context.get(), nullptr, digest_of(type_), nullptr, pkey(key_)) == 1 &&
      EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(message), message.size()) == 1;
  ERR_clear_error();
  if (good) return {};
  return Unexpected(ErrorCode::kIntegrity, "The signature is not this key's over this content.",
                    "The content was changed, or it was signed with another key.");
}

Result<PrivateKey> PrivateKey::generate(KeyType type) {
  EVP_PKEY* key = nullptr;
  if (type == KeyType::kEd25519) {
    key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  } else {
    for (const TypeName& known : kTypes) {
      if (known.type == type) key = EVP_EC_gen(known.group);
    }
  }
  if (key == nullptr) return failed("make a key");
  const KeyHandle handle = own(key);
  TRY(PublicKey of, PublicKey::from_handle(handle));
  return PrivateKey(handle, std::move(of));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  EVP_PKEY* key = nullptr;
  if (pem.size() <= kMaxPemBytes) key = PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, no_passphrase, nullptr);
  ERR_clear_error();
  if (key == nullptr)
    return Unexpected(ErrorCode::kInvalidArgument, "The text is not an unencrypted private key in PEM form.",
                      "It begins with -----BEGIN PRIVATE KEY-----; openssl pkey takes a passphrase off.");
  const KeyHandle handle = own(key);
  TRY(PublicKey of, PublicKey::from_handle(handle));
  return PrivateKey(handle, std::move(of));
}

std::string PrivateKey::pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), pkey(key_), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    ERR_clear_error();
  return written(bio);
}

Result<std::string> PrivateKey::sign(std::string_view message) const {
  const DigestContext context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (EVP_DigestSignInit(context.get(), nullptr, digest_of(type()), nullptr, pkey(key_)) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes(message), message.size()) != 1)
    return failed("sign");
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes(message),
                     message.size()) != 1)
    return failed("sign");
  signature.resize(size);
  return signature;
}

}  // namespace backstay::signing
