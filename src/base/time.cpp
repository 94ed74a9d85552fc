#include "base/time.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <optional>

namespace backstay {
namespace {

class SystemClock final : public Clock {
 public:
  Timestamp now() const override {
    return std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
  }
  Monotonic monotonic() const override { return std::chrono::steady_clock::now(); }
};

struct Unit {
  const char* name;
  long long ms;
};
constexpr std::array<Unit, 5> kUnits = {{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

Unexpected bad_duration(const std::string& text) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is not a duration", text),
                    "Write a number with a unit: 850ms, 90s, 5m, 1h30m or 2d.");
}

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string to_rfc3339(Timestamp at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const auto year = static_cast<int>(date.year());
  const std::int64_t micros = (at - day).count();
  if (year < 0 || year > 9999)
    return fmt::format("{}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", year, static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()), micros / 3'600'000'000, micros / 60'000'000 % 60,
                       micros / 1'000'000 % 60, micros % 1'000'000);
  // By hand: every entry of the audit log and every line of a log has one.
  std::string text = "0000-00-00T00:00:00.000000Z";
  const auto put = [&text](std::size_t end, std::int64_t value) {
    for (; value > 0; value /= 10) text[--end] = static_cast<char>('0' + value % 10);
  };
  put(4, year);
  put(7, static_cast<unsigned>(date.month()));
  put(10, static_cast<unsigned>(date.day()));
  put(13, micros / 3'600'000'000);
  put(16, micros / 60'000'000 % 60);
  put(19, micros / 1'000'000 % 60);
  put(26, micros % 1'000'000);
  return text;
}

namespace {

/// "Z", "+01:00"; nothing for anything else.
std::optional<std::chrono::minutes> offset_of(const std::string& text) {
  if (text == "Z") return std::chrono::minutes(0);
  const auto digit = [&](std::size_t at) { return text[at] - '0'; };
  const bool formed = text.size() == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':';
  if (!formed) return std::nullopt;
  for (const std::size_t at : {1, 2, 4, 5})
    if (digit(at) < 0 || digit(at) > 9) return std::nullopt;
  const std::chrono::minutes out((digit(1) * 10 + digit(2)) * 60 + digit(4) * 10 + digit(5));
  if (digit(4) > 5 || out >= std::chrono::hours(24)) return std::nullopt;
  return text[0] == '-' ? -out : out;
}

}  // namespace

Result<Timestamp> parse_rfc3339(const std::string& text) {
  std::tm parts{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  long long micros = 0;
  if (rest != nullptr && *rest == '.') {
    int digits = 0;
    for (++rest; std::isdigit(static_cast<unsigned char>(*rest)) != 0; ++rest, ++digits) {
      if (digits < 6) micros = micros * 10 + (*rest - '0');
    }
    if (digits == 0) rest = nullptr;
    for (; digits < 6; ++digits) micros *= 10;
  }
  const std::optional<std::chrono::minutes> offset = rest == nullptr ? std::nullopt : offset_of(rest);
  if (!offset) {
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is not a time", text),
                      "Write it like 2026-11-24T10:15:30Z or 2026-11-24T11:15:30+01:00.");
  }
  return Timestamp(seconds(timegm(&parts)) + microseconds(micros) - *offset);
}

Result<milliseconds> parse_duration(const std::string& text) {
  long long total = 0;
  const char* at = text.c_str();
  if (*at == '\0') return bad_duration(text);
  while (*at != '\0') {
    if (std::isdigit(static_cast<unsigned char>(*at)) == 0) return bad_duration(text);
    char* end = nullptr;
    const long long count = std::strtoll(at, &end, 10);
    std::string unit;
    for (at = end; std::isalpha(static_cast<unsigned char>(*at)) != 0; ++at) unit += *at;
    long long factor = 0;
    for (const Unit& known : kUnits) {
      if (unit == known.name) factor = known.ms;
    }
    if (factor == 0 || count > std::numeric_limits<int>::max()) return bad_duration(text);
    total += count * factor;
  }
  return milliseconds(total);
}

std::string to_string(milliseconds duration) {
  long long rest = duration.count();
  if (rest == 0) return "0s";
  std::string text;
  for (const Unit& unit : kUnits) {
    if (rest >= unit.ms) {
      text += fmt::format("{}{}", rest / unit.ms, unit.name);
      rest %= unit.ms;
    }
  }
  return text;
}

}  // namespace backstay
