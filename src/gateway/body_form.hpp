#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace backstay::gateway {

namespace http1 {
struct Head;
}

/// How a body is to be read, as its head says.
struct BodyForm {
  enum class Packed : std::uint8_t { kNo, kGzip, kOther };  ///< kGzip: or deflate, which says itself what it is.
  Packed packed = Packed::kNo;
  std::uint32_t json_bytes = 0;  ///< Of V2 tensors in binary: the JSON before them; 0: all of it is JSON.
};
BodyForm form_of(const http1::Head& head);

/// Of a body that is packed, what it says; never more than that, whatever it claims.
constexpr std::size_t kMaxUnpacked = std::size_t{1} << 20;

/// The body itself, or what gzip or deflate made of it, which is in `room`. Nothing when it is packed in another way,
/// broken, or longer than kMaxUnpacked. `room` keeps its memory for the next one: little more than that.
std::optional<std::string_view> unpacked(std::string_view body, const BodyForm& form, std::string& room);

}  // namespace backstay::gateway
