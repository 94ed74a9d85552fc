#pragma once

#include <string>

#include "services/measure_drift.hpp"

namespace backstay::cli {

/// What moved, how far and since when, with small charts, for people. `all`: also the columns that did not.
std::string drift_text(const services::DriftReport& report, const std::string& live_name, bool all);

}  // namespace backstay::cli
