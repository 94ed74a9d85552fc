#pragma once

#include <bit>
#include <cstdint>

/// Values of which nobody can tell whether an answer has them. A missing value (kNoValue) speaks against the version,
/// these for and against nobody. NaNs, so that what compares and calculates takes them for no value; their payloads
/// tell them from the one of kNoValue. Outcomes and recordings keep values bit for bit.
namespace backstay::traffic {

inline constexpr std::uint32_t kUnreadBits = 0x7fc0'0b0d;
inline constexpr std::uint32_t kUnrecordedBits = 0x7fd0'0b57;

/// It may be there, in a form that can't be read: an encoding that is not known, a body that is broken or too long when
/// unpacked.
inline constexpr float kUnread = std::bit_cast<float>(kUnreadBits);
/// Of a remembered prediction: nobody looked for it when the answer was given.
inline constexpr float kUnrecorded = std::bit_cast<float>(kUnrecordedBits);

inline bool is_unread(float value) {
  return std::bit_cast<std::uint32_t>(value) == kUnreadBits;
}
inline bool is_unrecorded(float value) {
  return std::bit_cast<std::uint32_t>(value) == kUnrecordedBits;
}
inline bool is_unknown(float value) {
  return is_unread(value) || is_unrecorded(value);
}

}  // namespace backstay::traffic
