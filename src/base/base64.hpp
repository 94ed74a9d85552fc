#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

/// Base 64 of RFC 4648, section 4: with padding, without line breaks.
namespace backstay {

std::string to_base64(std::string_view bytes);
/// Strict: exactly what to_base64 writes, so that two texts never stand for the same bytes.
Result<std::string> from_base64(std::string_view text);

}  // namespace backstay
