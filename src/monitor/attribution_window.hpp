#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "domain/guardrails/guardrail.hpp"
#include "domain/traffic/outcome.hpp"

namespace backstay::monitor {

/// Answers that something may still be put down to: a conversion or a report that comes within the window is one, and
/// that there was none counts when the window closes, not before. Time is that of what is observed, so a replay closes
/// windows at the same places. Bounded: while kMost are open further answers are left out, whoever gave them; what is
/// open is followed to its end. Not thread-safe.
class AttributionWindow {
 public:
  static constexpr std::size_t kMost = 1 << 18;

  explicit AttributionWindow(nanoseconds within) : within_(within) {}

  /// An answer that a client got; nullopt: it is open already, or there are too many. All but the first of a sticky
  /// user are marked (Measurement::repeated).
  std::optional<guardrails::Measurement> open(const traffic::Outcome& outcome, bool candidate, double pi);
  /// What was hoped for, or feared, came: the answer, if its window is open, and closes it.
  std::optional<guardrails::Measurement> take(const traffic::PredictionId& id, Monotonic now);
  /// The oldest answer whose window is over by `now`, and forgets it; nullopt: there is none (more).
  std::optional<guardrails::Measurement> close_one(Monotonic now);
  void clear();
  std::size_t open_windows() const { return open_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const traffic::PredictionId& id) const { return static_cast<std::size_t>(id.high ^ id.low); }
  };
  nanoseconds within_;
  guardrails::ClusterSet users_;
  std::uint64_t numbered_ = 0;  ///< Of the candidate's.
  std::unordered_map<traffic::PredictionId, guardrails::Measurement, Hash> open_;
  std::deque<traffic::PredictionId> order_;  ///< By when they were opened; what was taken is still in it.
};

}  // namespace backstay::monitor
