#include "base/digest.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <cstdlib>

namespace backstay {

namespace {

/// Looked up once: OpenSSL 3 otherwise looks for a provider, under a lock, each time that a digest is begun.
const EVP_MD* algorithm() {
  static const EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return kSha256;
}

}  // namespace

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  begin();
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::begin() {
  if (context_->evp == nullptr || algorithm() == nullptr || EVP_DigestInit_ex(context_->evp, algorithm(), nullptr) != 1)
    std::abort();
}

void Sha256::update(std::span<const std::byte> data) {
  if (EVP_DigestUpdate(context_->evp, data.data(), data.size()) != 1) std::abort();
}

void Sha256::update(std::string_view text) {
  update(std::as_bytes(std::span(text)));
}

Digest Sha256::finish() {
  Digest digest;
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(context_->evp, digest.bytes.data(), &size) != 1 || size != digest.bytes.size()) std::abort();
  return digest;
}

Digest Sha256::so_far() const {
  Sha256 copy;
  if (EVP_MD_CTX_copy_ex(copy.context_->evp, context_->evp) != 1) std::abort();
  return copy.finish();
}

Digest sha256(std::string_view text) {
  return sha256({text});
}

Digest sha256(std::initializer_list<std::string_view> pieces) {
  thread_local Sha256 hash;
  hash.begin();
  for (const std::string_view piece : pieces) hash.update(piece);
  return hash.finish();
}

std::string Digest::hex() const {
  std::string text(64, '0');
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = kDigits[bytes[i] >> 4];
    text[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return text;
}

Result<Digest> Digest::from_hex(std::string_view hex) {
  const auto nibble = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  Digest digest;
  bool good = hex.size() == 64;
  for (std::size_t i = 0; good && i < 32; ++i) {
    const int high = nibble(hex[2 * i]);
    const int low = nibble(hex[2 * i + 1]);
    good = high >= 0 && low >= 0;
    digest.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  if (!good) {
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is not a SHA-256 digest", hex.substr(0, 80)),
                      "Write its 64 lower-case hex digits.");
  }
  return digest;
}

}  // namespace backstay
