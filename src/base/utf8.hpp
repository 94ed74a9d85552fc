#pragma once

#include <string_view>

namespace backstay {

/// Well-formed UTF-8 without overlong forms and surrogates (RFC 3629).
bool is_utf8(std::string_view text);

}  // namespace backstay
