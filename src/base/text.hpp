#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace backstay {

/// Well-formed UTF-8 without overlong forms and surrogates (RFC 3629).
bool is_utf8(std::string_view text);

/// The candidate that is closest to `word` by edit distance, if any is close enough to be meant.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

/// Insertions, deletions and substitutions of bytes that turn one text into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace backstay
