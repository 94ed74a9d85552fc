#pragma once

#include <string>

#include "monitor/replay.hpp"

namespace backstay::cli {

/// A guardrail's evidence over time, with its limit, for a terminal: 72 columns, 14 lines. The vertical axis is
/// logarithmic: odds against the candidate.
std::string evidence_chart(const monitor::Course& course, double log_limit);

}  // namespace backstay::cli
