#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "base/time.hpp"

namespace backstay::guardrails {

/// One outcome as a guardrail sees it.
struct Measurement {
  bool candidate = false;
  double assignment_probability = 0;  ///< The chance the request had of going to the candidate.
  /// kError, kReport, kSchema: 1 bad, 0 good. kFeedback, kConversion: 1 good, 0 bad. Durations: seconds. Others: the
  /// number, NaN when there was none.
  double value = 0;
  std::uint64_t cluster = 0;  ///< Hash of the sticky key; 0 = none.
  Monotonic at;
  /// What `value` is divided by (Signal::per), or, for paired tests, what stable had for the same request.
  double second = 1;
  /// Its user had an answer before it. Said of what is known late only, where the first to be known need not be the
  /// first answer: a report comes at once, that there was none when the window is over.
  bool repeated = false;
  /// The request's covariate (GuardrailSpec::covariate); NaN: it has none.
  double covariate = std::numeric_limits<double>::quiet_NaN();
  /// When the answer was given that this is about, where that is not `at`: a window is about answers.
  std::optional<Monotonic> answered{};
  /// Attributed signals: an answer that something may be put down to is opened, and settled when that came, or the time
  /// for it is over. The candidate's are numbered from 0.
  enum class Stage : std::uint8_t { kSettled, kOpened };
  Stage stage = Stage::kSettled;
  std::uint64_t number = 0;
};

}  // namespace backstay::guardrails
