#pragma once

#include <bit>
#include <cstdint>

/// A value of which a remembered prediction does not tell whether the answer had it: nobody looked for it when it was
/// given. A missing value (kNoValue) speaks against the version, this one for and against nobody.
namespace backstay::traffic {

/// A NaN, so that what compares and calculates takes it for no value; its payload tells it from the one of kNoValue.
/// Recordings keep values bit for bit.
inline constexpr std::uint32_t kUnrecordedBits = 0x7fd0'0b57;
inline constexpr float kUnrecorded = std::bit_cast<float>(kUnrecordedBits);

inline bool is_unrecorded(float value) {
  return std::bit_cast<std::uint32_t>(value) == kUnrecordedBits;
}

}  // namespace backstay::traffic
