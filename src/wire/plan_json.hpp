#pragma once

#include <nlohmann/json_fwd.hpp>

#include "domain/rollout/plan.hpp"

namespace backstay::wire {

/// A plan as it is stored and shown, within a rollout; read_plan() (rollout_json.hpp) reads it back.
nlohmann::json plan_json(const rollout::Plan& plan);

}  // namespace backstay::wire
