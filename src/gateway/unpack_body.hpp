#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/request_sampler.hpp"

namespace backstay::gateway {

/// Of a body that is packed, what it says; never more than that, whatever it claims.
constexpr std::size_t kMaxUnpacked = std::size_t{1} << 20;

/// The body itself, or what gzip or deflate made of it, which is in `room`. Nothing when it is packed in another way,
/// broken, or longer than kMaxUnpacked. `room` keeps its memory for the next one: little more than that.
std::optional<std::string_view> unpacked(std::string_view body, const BodyForm& form, std::string& room);

}  // namespace backstay::gateway
