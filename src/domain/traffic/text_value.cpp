#include "domain/traffic/text_value.hpp"

#include <bit>

namespace backstay::traffic {

float text_number(std::string_view text) {
  // FNV-1a, 64 bits, folded (http://www.isthe.com/chongo/tech/comp/fnv/).
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  constexpr int kMantissa = 23;
  constexpr std::uint32_t kSign = 0x80000000;
  constexpr std::uint32_t kExponent = 100 + 127;
  const std::uint64_t folded = hash ^ (hash >> kMantissa) ^ (hash >> (2 * kMantissa));
  return std::bit_cast<float>(kSign | (kExponent << kMantissa) |
                              static_cast<std::uint32_t>(folded & ((1U << kMantissa) - 1)));
}

}  // namespace backstay::traffic
