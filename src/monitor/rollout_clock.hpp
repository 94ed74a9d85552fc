#pragma once

#include <algorithm>

#include "base/time.hpp"
#include "domain/traffic/outcome.hpp"

namespace backstay::monitor {

/// The clock of what a rollout's guardrails are shown. It goes on while the server is away, and over a restart of the
/// machine, so that windows and recordings know one time. Not thread-safe.
class RolloutClock {
 public:
  RolloutClock() = default;
  /// Goes on after `last`, an outcome by this clock, when `now` and `wall` are the machine's clocks. To the second.
  static RolloutClock after(const traffic::Outcome& last, Monotonic now, Timestamp wall) {
    RolloutClock out;
    const nanoseconds away = std::max<nanoseconds>(wall - last.prediction.at(), nanoseconds{0});
    out.ahead_ = last.at + away - now;
    return out;
  }

  Monotonic at(Monotonic machine) const { return machine + ahead_; }
  /// When a prediction was made, as far as its id says: to the second. Its own outcome may be long gone.
  Monotonic at(const traffic::PredictionId& id, Monotonic now, Timestamp wall) const {
    return at(now) - std::chrono::duration_cast<nanoseconds>(wall - id.at());
  }

 private:
  nanoseconds ahead_{0};  ///< Of the machine's.
};

}  // namespace backstay::monitor
