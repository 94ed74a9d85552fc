#include "tables/value_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

namespace backstay::tables {

void append_json(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append_double(std::string& out, double number) {
  if (std::isnan(number)) {
    out += "nan";
    return;
  }
  const std::size_t begin = out.size();
  fmt::format_to(std::back_inserter(out), "{}", number);
  // fmt leaves ".0" out; without it a number would look like a whole one.
  if (std::isfinite(number) && out.find_first_of(".e", begin) == std::string::npos) out += ".0";
}

namespace {

constexpr std::int64_t kDaySeconds = 86400;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}
/// What floor_div leaves: in [0, b). Never overflows, unlike a - floor_div(a, b) * b.
std::int64_t floor_mod(std::int64_t a, std::int64_t b) {
  const std::int64_t rest = a % b;
  return rest < 0 ? rest + b : rest;
}

std::int64_t power_of_ten(int digits) {
  std::int64_t out = 1;
  for (int i = 0; i < digits; ++i) out *= 10;
  return out;
}

/// `number` is not negative.
void append_padded(std::string& out, std::uint64_t number, int width) {
  fmt::format_to(std::back_inserter(out), "{:0{}}", number, width);
}

/// A number's digits with a point before the last `scale` of them.
void append_scaled(std::string& out, bool negative, std::string digits, int scale) {
  if (negative) out += '-';
  if (scale <= 0) {
    out += digits;
    if (digits != "0") out.append(static_cast<std::size_t>(-scale), '0');
    return;
  }
  const auto after = static_cast<std::size_t>(scale);
  if (digits.size() <= after) digits.insert(0, after + 1 - digits.size(), '0');
  digits.insert(digits.size() - after, 1, '.');
  out += digits;
}

}  // namespace

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
void append_date(std::string& out, std::int64_t days) {
  days = std::clamp(days, std::numeric_limits<std::int64_t>::min() / 2, std::numeric_limits<std::int64_t>::max() / 2);
  const std::int64_t shifted = days + 719468;
  const std::int64_t era = floor_div(shifted, 146097);
  const std::int64_t day_of_era = shifted - era * 146097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const std::int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  if (year < 0) {
    out += '-';
  } else if (year > 9999) {
    out += '+';
  }
  append_padded(out, static_cast<std::uint64_t>(std::abs(year)), 4);
  out += '-';
  append_padded(out, static_cast<std::uint64_t>(month), 2);
  out += '-';
  append_padded(out, static_cast<std::uint64_t>(day), 2);
}

void append_time(std::string& out, std::int64_t ticks, int digits) {
  const std::int64_t unit = power_of_ten(digits);
  const std::int64_t seconds = floor_div(ticks, unit);
  const std::int64_t nanoseconds = (ticks - seconds * unit) * power_of_ten(9 - digits);
  // What is no time of a day is told as it is.
  if (seconds < 0) {
    fmt::format_to(std::back_inserter(out), "{}", ticks);
    return;
  }
  append_padded(out, static_cast<std::uint64_t>(seconds / 3600), 2);
  out += ':';
  append_padded(out, static_cast<std::uint64_t>(seconds / 60 % 60), 2);
  out += ':';
  append_padded(out, static_cast<std::uint64_t>(seconds % 60), 2);
  if (nanoseconds == 0) return;
  out += '.';
  if (nanoseconds % 1000 == 0) {
    append_padded(out, static_cast<std::uint64_t>(nanoseconds / 1000), 6);
  } else {
    append_padded(out, static_cast<std::uint64_t>(nanoseconds), 9);
  }
}

void append_timestamp(std::string& out, std::int64_t ticks, int digits, bool utc) {
  const std::int64_t unit = power_of_ten(digits);
  const std::int64_t seconds = floor_div(ticks, unit);
  const std::int64_t days = floor_div(seconds, kDaySeconds);
  append_date(out, days);
  out += 'T';
  append_time(out, floor_mod(seconds, kDaySeconds) * unit + floor_mod(ticks, unit), digits);
  if (utc) out += 'Z';
}

void append_decimal(std::string& out, std::int64_t unscaled, int scale) {
  const bool negative = unscaled < 0;
  const std::uint64_t size = negative ? 0 - static_cast<std::uint64_t>(unscaled) : static_cast<std::uint64_t>(unscaled);
  append_scaled(out, negative, fmt::to_string(size), scale);
}

void append_decimal(std::string& out, std::string_view big_endian, int scale) {
  // Limbs of 32 bits, most significant first; digits come off by division, nine at a time.
  const bool negative = !big_endian.empty() && (static_cast<unsigned char>(big_endian[0]) & 0x80) != 0;
  std::vector<std::uint32_t> limbs((big_endian.size() + 3) / 4, 0);
  const std::size_t lead = limbs.size() * 4 - big_endian.size();
  for (std::size_t i = 0; i < big_endian.size(); ++i) {
    const std::uint32_t byte = static_cast<unsigned char>(big_endian[i]) ^ (negative ? 0xffu : 0u);
    limbs[(lead + i) / 4] |= byte << (8 * (3 - (lead + i) % 4));
  }
  // -x = ~x + 1
  for (std::size_t i = limbs.size(); negative && i-- > 0;)
    if (++limbs[i] != 0) break;
  std::string digits;
  constexpr std::uint64_t kNine = 1'000'000'000;
  while (std::any_of(limbs.begin(), limbs.end(), [](std::uint32_t limb) { return limb != 0; })) {
    std::uint64_t rest = 0;
    for (std::uint32_t& limb : limbs) {
      const std::uint64_t value = (rest << 32) | limb;
      limb = static_cast<std::uint32_t>(value / kNine);
      rest = value % kNine;
    }
    digits.insert(0, fmt::format("{:09}", rest));
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  append_scaled(out, negative, digits.empty() ? "0" : digits, scale);
}

void append_hex(std::string& out, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "0x";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

void append_uuid(std::string& out, std::string_view bytes) {
  std::string hex;
  append_hex(hex, bytes);
  for (std::size_t i = 2; i < hex.size(); ++i) {
    if (i == 10 || i == 14 || i == 18 || i == 22) out += '-';
    out += hex[i];
  }
}

double half_to_double(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31)
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  return exponent == 0 ? sign * std::ldexp(fraction, -24) : sign * std::ldexp(fraction + 1024, exponent - 25);
}

}  // namespace backstay::tables
