#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

/// Hashes by which profiles know values: spread over all 64 bits, the same on every machine. Stored profiles hold them,
/// so they never change.
namespace backstay::drift {

/// SplitMix64's finish (Steele, Lea, Flood, 2014). Of one hash, or of a vector of them.
template <class Word>
[[gnu::always_inline]] constexpr void spread_bits(Word& hash) {
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  hash ^= hash >> 31;
}

constexpr std::uint64_t finish_hash(std::uint64_t hash) {
  spread_bits(hash);
  return hash;
}

/// FNV-1a, and the finish because FNV's high bits are weak for short texts.
constexpr std::uint64_t hash_of_text(std::string_view text, std::uint64_t seed = 0) {
  std::uint64_t hash = 14695981039346656037ULL ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return finish_hash(hash);
}

constexpr std::uint64_t kNumberSeed = 0x9e3779b97f4a7c15ULL;

constexpr std::uint64_t hash_of_number(double number) {
  const double plain = number == 0 ? 0.0 : number;  // -0 is 0.
  return finish_hash(std::bit_cast<std::uint64_t>(plain) + kNumberSeed);
}

constexpr std::uint64_t hash_of_boolean(bool value) {
  return finish_hash(0xb001 + (value ? 1U : 0U) + kNumberSeed);
}

/// 32 bits of a value's hash: what a category is known by. The number 1 is another one than the text "1".
constexpr std::uint32_t category_of(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash);
}

}  // namespace backstay::drift
