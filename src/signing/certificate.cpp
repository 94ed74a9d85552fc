#include "signing/certificate.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "signing/openssl.hpp"

namespace backstay::signing {

namespace {

constexpr std::size_t kMaxCertificates = 100;
constexpr std::size_t kMaxPemBytes = 1024 * 1024;

using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Store = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>>;
struct FreeStack {
  // Only the stack: its certificates belong to others.
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using Stack = std::unique_ptr<STACK_OF(X509), FreeStack>;

X509* x509_of(const std::shared_ptr<void>& handle) {
  return static_cast<X509*>(handle.get());
}

std::shared_ptr<void> own(X509* certificate) {
  return {certificate, [](void* held) { X509_free(static_cast<X509*>(held)); }};
}

Unexpected malformed(std::string what) {
  ERR_clear_error();
  return Unexpected(ErrorCode::kInvalidArgument, std::move(what),
                    "A certificate in PEM form begins with -----BEGIN CERTIFICATE-----.");
}

bool is_for_signing(X509* certificate) {
  const std::uint32_t flags = X509_get_extension_flags(certificate);
  const bool signs = (flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) != 0;
  const bool signs_code =
      (flags & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(certificate) & XKU_CODE_SIGN) != 0;
  return (flags & EXFLAG_INVALID) == 0 && (signs || signs_code);
}

}  // namespace

Result<Certificate> Certificate::from_der(std::string_view der) {
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* end = data;
  X509* parsed = d2i_X509(nullptr, &end, static_cast<long>(der.size()));
  if (parsed == nullptr) return malformed("The bytes are not an X.509 certificate.");
  const std::shared_ptr<void> held = own(parsed);
  if (end != data + der.size()) return malformed("There are bytes after the certificate.");
  return Certificate(held);
}

Result<std::vector<Certificate>> Certificate::all_from_pem(std::string_view pem) {
  if (pem.size() > kMaxPemBytes) return malformed("The certificates are larger than 1 MiB.");
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<Certificate> found;
  while (X509* parsed = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    found.push_back(Certificate(own(parsed)));
    if (found.size() > kMaxCertificates) return malformed("There are more than 100 certificates.");
  }
  const unsigned long why = ERR_peek_last_error();
  if (found.empty() || ERR_GET_LIB(why) != ERR_LIB_PEM || ERR_GET_REASON(why) != PEM_R_NO_START_LINE)
    return malformed("The text holds no certificates in PEM form, or a damaged one.");
  ERR_clear_error();
  return found;
}

std::string Certificate::der() const {
  unsigned char* data = nullptr;
  const int size = i2d_X509(x509_of(x509_), &data);
  std::string der;
  if (size > 0) der.assign(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

std::string Certificate::subject() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  // Control characters and what is not ASCII are escaped: the name is printed on terminals.
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(x509_of(x509_)), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<PublicKey> Certificate::public_key() const {
  EVP_PKEY* key = X509_get_pubkey(x509_of(x509_));
  ERR_clear_error();
  return PublicKey::from_handle(KeyHandle(key, FreeKey{}));
}

Result<PublicKey> verify_chain(const std::vector<Certificate>& chain, const std::vector<Certificate>& roots) {
  if (chain.empty()) return malformed("The signature has no certificate.");
  const Store store(X509_STORE_new());
  for (const Certificate& root : roots) X509_STORE_add_cert(store.get(), x509_of(root.x509_));
  const Stack between(sk_X509_new_null());
  for (std::size_t i = 1; i < chain.size(); ++i) sk_X509_push(between.get(), x509_of(chain[i].x509_));
  X509* leaf = x509_of(chain[0].x509_);

  const StoreContext context(X509_STORE_CTX_new());
  tm valid_from{};
  std::string why = "it can't be read";
  bool good = false;
  if (X509_STORE_CTX_init(context.get(), store.get(), leaf, between.get()) == 1 &&
      ASN1_TIME_to_tm(X509_get0_notBefore(leaf), &valid_from) == 1) {
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), timegm(&valid_from));
    good = X509_verify_cert(context.get()) == 1;
    why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
  }
  ERR_clear_error();
  const std::string name = chain[0].subject();
  if (!good)
    return Unexpected(ErrorCode::kIntegrity, fmt::format("The certificate of {} is not trusted: {}.", name, why),
                      "Give the certificate chain that leads to its root with --certificate-chain.");
  if (!is_for_signing(leaf))
    return Unexpected(ErrorCode::kIntegrity, fmt::format("The certificate of {} is not for signing.", name),
                      "It must have the key usage digitalSignature or the extended key usage codeSigning.");
  return chain[0].public_key();
}

}  // namespace backstay::signing
