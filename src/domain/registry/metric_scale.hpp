#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace backstay::registry {

enum class Better : std::uint8_t { kHigher, kLower };

/// How values of a metric are to be read.
struct MetricScale {
  Better better = Better::kHigher;
  bool share = false;  ///< Of [0, 1] or [-1, 1]: differences mean the same everywhere. Else they count relatively.
};

/// Of a metric that `backstay evaluate` writes (also with robustness_ before and _change after it), or of one that goes
/// by a usual name: macro_f1, recall_at_10, val_log_loss. Nothing for others, and for those of which neither more nor
/// less is better by itself (mean_error, positive_rate, small_groups).
std::optional<MetricScale> known_scale(const std::string& name);

/// A metric's name in lower case, with underscores: "Macro F1" is macro_f1.
std::string usual_spelling(std::string name);

/// The same with what somebody said of it. kInvalidArgument when neither tells, or when they contradict each other.
Result<MetricScale> scale_of(const std::string& name, std::optional<Better> said);

}  // namespace backstay::registry
