#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace backstay::rollout {

/// The hours of the week in which a rollout goes on: when someone is there to look. A rollback never waits for them.
struct OpeningHours {
  std::uint8_t days = 0;                ///< Bit 0 is Monday.
  std::chrono::minutes from{0};         ///< Since midnight, local time.
  std::chrono::minutes until{24 * 60};  ///< Before `from`: of the next day; `days` has the one in which they begin.
  std::chrono::minutes utc_offset{0};   ///< Of the local time: 60 where it is 13:00 at 12:00 UTC.
  bool operator==(const OpeningHours&) const = default;
};

/// A time in which no rollout goes on.
struct Freeze {
  Timestamp from;
  Timestamp until;
  std::string reason;
  bool operator==(const Freeze&) const = default;
};

struct Calendar {
  std::optional<OpeningHours> hours;  ///< nullopt: always.
  std::vector<Freeze> freezes;
  bool operator==(const Calendar&) const = default;

  /// Why a rollout may not go on at this moment, a sentence; nullopt: it may. Pure.
  std::optional<std::string> closed(Timestamp now) const;
  Result<void> validate() const;
};

/// "mon-fri", "mon,wed,sat": a range may go over Sunday. Bit 0 is Monday.
Result<std::uint8_t> parse_days(const std::string& text);
/// What parse_days reads back.
std::string days_text(std::uint8_t days);
/// "09:30" -> 9 h 30 min; up to "24:00".
Result<std::chrono::minutes> parse_time_of_day(const std::string& text);
std::string time_of_day_text(std::chrono::minutes time);
/// "+01:00", "-05:30", "Z"
Result<std::chrono::minutes> parse_utc_offset(const std::string& text);
std::string utc_offset_text(std::chrono::minutes offset);

}  // namespace backstay::rollout
