#pragma once

#include <cstddef>
#include <string>

#include "base/time.hpp"
#include "services/registry.hpp"

namespace backstay::cli {

/// What the numbers of a progress count.
enum class Unit { kBytes, kItems };

/// Turns reports of how far something is into a line of text: a bar, the share, the rate and the time that is left. The
/// rate is that of about the last 3 seconds (an exponential average), so that it follows a disk that slows down and
/// does not jump. Pure: the caller says what time it is. Not thread-safe.
class ProgressMeter {
 public:
  ProgressMeter(Unit unit, Monotonic start) : unit_(unit), begun_(start), last_(start) {}
  /// Empty when the line needn't be drawn again yet: at most ten times a second, and when it is done.
  std::string line(const services::Progress& state, Monotonic now, std::size_t columns);

 private:
  void measure(std::uint64_t done, Monotonic now);

  const Unit unit_;
  const Monotonic begun_;
  Monotonic last_;
  std::uint64_t last_done_ = 0;
  double rate_ = 0;  ///< Per second; 0: not known yet.
  bool drawn_ = false;
};

/// "4s", "1:05", "2:03:00"
std::string clock_text(seconds time);

/// Draws on standard error and wipes the line when it goes; nothing when that is no terminal.
services::OnProgress progress_on_terminal(Unit unit);

}  // namespace backstay::cli
