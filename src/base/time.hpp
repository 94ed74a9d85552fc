#pragma once

#include <chrono>
#include <string>

#include "base/result.hpp"

namespace backstay {

/// A moment people can read: UTC, microseconds. What is stored and shown.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;
/// A moment for measuring durations; never goes back, means nothing outside this process.
using Monotonic = std::chrono::steady_clock::time_point;

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// The one door to time. Simulations give a virtual clock. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
  virtual Monotonic monotonic() const = 0;
};

/// The machine's clock. One instance serves the whole process.
const Clock& system_clock();

/// "2026-11-24T10:15:30.123456Z" (RFC 3339, always UTC, always six decimals, so that text order is time order).
std::string to_rfc3339(Timestamp at);
Result<Timestamp> parse_rfc3339(const std::string& text);

/// "850ms", "90s", "5m", "1h30m", "2d": what configuration files and flags use. Fails on a missing unit.
Result<milliseconds> parse_duration(const std::string& text);
/// The shortest exact form parse_duration reads back.
std::string to_string(milliseconds duration);

}  // namespace backstay
