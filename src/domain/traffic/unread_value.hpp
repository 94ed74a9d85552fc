#pragma once

#include <bit>
#include <cstdint>

namespace backstay::traffic {

/// Stands in Outcome::values for a value that may be there, in a form that can't be read (an encoding that is not
/// known, a body that is broken or too long when unpacked): evidence of nothing, where one that is missing is bad. No
/// number, as kNoValue, of other bits, which outcomes and recordings keep.
inline constexpr std::uint32_t kUnreadBits = 0x7fc0'0b0d;
inline constexpr float kUnread = std::bit_cast<float>(kUnreadBits);
inline bool is_unread(float value) {
  return std::bit_cast<std::uint32_t>(value) == kUnreadBits;
}

}  // namespace backstay::traffic
