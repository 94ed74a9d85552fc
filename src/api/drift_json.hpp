#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "services/measure_drift.hpp"
#include "services/suggest_version.hpp"

/// Drift and suggestions as JSON, the same for the control API and the command line.
namespace backstay::api {

nlohmann::json to_json(const services::DriftReport& report);
/// `metric`: the one that versions were ranked by.
nlohmann::json to_json(const services::Advice& advice);

}  // namespace backstay::api
