#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/request_sampler.hpp"

namespace backstay::live {

/// Of a body that is packed, what it says; never more than kMaxUnpacked bytes of memory, whatever it claims.
constexpr std::size_t kMaxUnpacked = std::size_t{1} << 20;

/// The body itself, or `room` with what gzip made of it. Nothing when it is packed in another way, broken, or longer
/// than kMaxUnpacked.
std::optional<std::string_view> unpacked(std::string_view body, const gateway::BodyForm& form, std::string& room);

}  // namespace backstay::live
