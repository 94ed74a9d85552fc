#include "domain/traffic/text_value.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <system_error>

namespace backstay::traffic {

float text_number(std::string_view text) {
  // FNV-1a, 64 bits, folded (http://www.isthe.com/chongo/tech/comp/fnv/).
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  constexpr int kMantissa = 23;
  constexpr std::uint32_t kSign = 0x80000000;
  constexpr std::uint32_t kExponent = 100 + 127;
  const std::uint64_t folded = hash ^ (hash >> kMantissa) ^ (hash >> (2 * kMantissa));
  return std::bit_cast<float>(kSign | (kExponent << kMantissa) |
                              static_cast<std::uint32_t>(folded & ((1U << kMantissa) - 1)));
}

namespace {

/// "-12", "0.5", "1e-3"; not "007", "+1", ".5", "1.", "nan".
bool is_json_number(std::string_view text) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  const auto digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  if (!digit(0) || (text[0] == '0' && digit(1))) return false;
  const std::size_t dot = text.find('.');
  return text.find_first_not_of("0123456789.eE+-") == std::string_view::npos &&
         (dot == std::string_view::npos || digit(dot + 1));
}

/// true and false are 1 and 0; nullopt: it is none that a float holds.
std::optional<double> json_number(std::string_view text) {
  if (text == "true" || text == "false") return text == "true" ? 1 : 0;
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = problem == std::errc{} && end == text.data() + text.size() && is_json_number(text);
  const bool fits = std::abs(number) <= std::numeric_limits<float>::max() && !is_text(number);
  return whole && fits ? std::optional(number) : std::nullopt;
}

}  // namespace

float value_of(std::string_view text) {
  const std::optional<double> number = json_number(text);
  const bool told_apart = number && (std::abs(*number) <= kLargestWhole || *number != std::trunc(*number));
  return told_apart ? static_cast<float>(*number) : text_number(text);
}

float value_of_header(std::string_view text) {
  const std::optional<double> number = json_number(text);
  return number ? static_cast<float>(*number) : text_number(text);
}

}  // namespace backstay::traffic
