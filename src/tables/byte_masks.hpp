#pragma once

#include <cstdint>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace backstay::tables {

/// What is where in 64 bytes of a text of cells: bit i is byte i.
struct ByteMasks {
  std::uint64_t ends = 0;  ///< Ends of cells: delimiters and line feeds.
  std::uint64_t rare = 0;  ///< Quotes, carriage returns, zero bytes.
  std::uint64_t high = 0;  ///< Bytes that are not ASCII.
};
constexpr std::size_t kMaskedBytes = 64;

inline ByteMasks masks_of(const char* bytes, char delimiter) {
  ByteMasks out;
#ifdef __SSE2__
  constexpr std::size_t kLane = sizeof(__m128i);
  const __m128i delimiters = _mm_set1_epi8(delimiter);
  for (std::size_t i = 0; i < kMaskedBytes; i += kLane) {
    const __m128i lane = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
    const auto is = [&](char c) { return _mm_cmpeq_epi8(lane, _mm_set1_epi8(c)); };
    const auto bits = [i](__m128i mask) {
      return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm_movemask_epi8(mask))) << i;
    };
    out.ends |= bits(_mm_or_si128(_mm_cmpeq_epi8(lane, delimiters), is('\n')));
    out.rare |= bits(_mm_or_si128(_mm_or_si128(is('"'), is('\r')), is('\0')));
    out.high |= bits(lane);
  }
#else
  for (std::size_t i = 0; i < kMaskedBytes; ++i) {
    const char c = bytes[i];
    out.ends |= std::uint64_t{c == delimiter || c == '\n'} << i;
    out.rare |= std::uint64_t{c == '"' || c == '\r' || c == '\0'} << i;
    out.high |= std::uint64_t{static_cast<unsigned char>(c) >= 0x80} << i;
  }
#endif
  return out;
}

}  // namespace backstay::tables
