#include "domain/rollout/calendar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace backstay::rollout {

using std::chrono::floor;
using std::chrono::minutes;

namespace {

constexpr std::array<const char*, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr minutes kDay{24 * 60};
constexpr std::uint8_t kAllDays = 0x7f;

Unexpected wrong(const std::string& text, const char* what, const char* hint) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no {}.", text, what), hint);
}

std::optional<std::size_t> day_of(std::string_view word) {
  const auto found = std::find(kDays.begin(), kDays.end(), word);
  if (found == kDays.end()) return std::nullopt;
  return static_cast<std::size_t>(found - kDays.begin());
}

/// "HH:MM", digits only.
std::optional<minutes> clock_time(std::string_view text) {
  const auto digits = [&](std::size_t at) -> int {
    int value = -1;
    const auto [end, failed] = std::from_chars(text.data() + at, text.data() + at + 2, value);
    return failed == std::errc() && end == text.data() + at + 2 ? value : -1;
  };
  if (text.size() != 5 || text[2] != ':' || text[0] == '-' || text[3] == '-') return std::nullopt;
  const int hour = digits(0);
  const int minute = digits(3);
  if (hour < 0 || minute < 0 || minute > 59) return std::nullopt;
  return minutes(hour * 60 + minute);
}

}  // namespace

std::optional<std::string> Calendar::closed(Timestamp now) const {
  for (const Freeze& freeze : freezes)
    if (now >= freeze.from && now < freeze.until)
      return fmt::format("Frozen until {}{}{}.", to_rfc3339(freeze.until).substr(0, 16) + "Z",
                         freeze.reason.empty() ? "" : ": ", freeze.reason);
  if (!hours) return std::nullopt;
  const auto local = now + hours->utc_offset;
  const auto day = floor<std::chrono::days>(local);
  const unsigned weekday = std::chrono::weekday(day).iso_encoding() - 1;
  const auto time = floor<minutes>(local - day);
  const auto is_day = [&](unsigned which) { return (hours->days >> which & 1U) != 0; };
  const bool over_midnight = hours->until < hours->from;
  const bool begun_today = is_day(weekday) && time >= hours->from && (over_midnight || time < hours->until);
  const bool begun_yesterday = over_midnight && is_day((weekday + 6) % 7) && time < hours->until;
  if (begun_today || begun_yesterday) return std::nullopt;
  return fmt::format("It is outside of the hours {} {}-{} ({}).", days_text(hours->days), time_of_day_text(hours->from),
                     time_of_day_text(hours->until), utc_offset_text(hours->utc_offset));
}

Result<void> Calendar::validate() const {
  if (hours && (hours->days == 0 || hours->from == hours->until || hours->from >= kDay))
    return Unexpected(
        ErrorCode::kInvalidArgument, "The plan's hours hold no time at all.",
        "Write them like hours: {days: mon-fri, from: \"09:00\", until: \"17:00\", utc_offset: \"+01:00\"}.");
  for (const Freeze& freeze : freezes)
    if (freeze.from >= freeze.until)
      return Unexpected(ErrorCode::kInvalidArgument, "A freeze of the plan ends before it begins.",
                        "Give from and until as times: 2026-12-20T00:00:00Z.");
  return {};
}

Result<std::uint8_t> parse_days(const std::string& text) {
  constexpr const char* kHint = "Write them like mon-fri or mon,wed,sat.";
  std::uint8_t out = 0;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view part = std::string_view(text).substr(at, comma - at);
    const std::size_t dash = part.find('-');
    const auto first = day_of(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : day_of(part.substr(dash + 1));
    if (!first || !last) return wrong(text, "list of days", kHint);
    for (std::size_t day = *first;; day = (day + 1) % kDays.size()) {
      out = static_cast<std::uint8_t>(out | (1U << day));
      if (day == *last) break;
    }
    at = comma + 1;
  }
  return out;
}

std::string days_text(std::uint8_t days) {
  if ((days & kAllDays) == kAllDays) return "mon-sun";
  std::string out;
  for (std::size_t day = 0; day < kDays.size(); ++day) {
    if ((days >> day & 1U) == 0) continue;
    std::size_t last = day;
    while (last + 1 < kDays.size() && (days >> (last + 1) & 1U) != 0) ++last;
    out += (out.empty() ? "" : ",") + std::string(kDays[day]) + (last > day ? std::string("-") + kDays[last] : "");
    day = last;
  }
  return out;
}

Result<minutes> parse_time_of_day(const std::string& text) {
  const auto time = clock_time(text);
  if (!time || *time > kDay) return wrong(text, "time of day", "Write it like \"09:00\".");
  return *time;
}

std::string time_of_day_text(minutes time) {
  return fmt::format("{:02}:{:02}", time.count() / 60, time.count() % 60);
}

Result<minutes> parse_utc_offset(const std::string& text) {
  if (text == "Z") return minutes(0);
  const auto time = text.empty() ? std::nullopt : clock_time(std::string_view(text).substr(1));
  if (!time || *time > minutes(14 * 60) || (text[0] != '+' && text[0] != '-'))
    return wrong(text, "offset from UTC", "Write it like \"+01:00\".");
  return text[0] == '-' ? -*time : *time;
}

std::string utc_offset_text(minutes offset) {
  if (offset == minutes(0)) return "Z";
  return (offset < minutes(0) ? "-" : "+") + time_of_day_text(std::chrono::abs(offset));
}

}  // namespace backstay::rollout
