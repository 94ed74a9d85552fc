#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace backstay {

/// A SHA-256 value. Its text form is 64 lower-case hex digits.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  std::string hex() const;
  static Result<Digest> from_hex(std::string_view hex);
  auto operator<=>(const Digest&) const = default;
};

/// SHA-256 of data that arrives in pieces (OpenSSL's EVP, which uses SHA-NI where the CPU has it). Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> data);
  void update(std::string_view text);
  /// The digest of everything so far; more may follow.
  Digest so_far() const;
  /// The digest of everything so far. The object is spent afterwards.
  Digest finish();
  /// Starts anew; a spent object can be used again.
  void begin();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest sha256(std::string_view text);
/// Of the pieces one after the other. Cheaper than a Sha256 for short ones.
Digest sha256(std::initializer_list<std::string_view> pieces);

}  // namespace backstay
