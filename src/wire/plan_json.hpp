#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/time.hpp"
#include "domain/rollout/plan.hpp"

namespace backstay::wire {

class Fields;

/// A required time, RFC 3339.
void read_time(Fields& fields, const char* key, Timestamp& out);

/// A plan as it is stored and shown, within a rollout; read_plan() (rollout_json.hpp) reads it back.
nlohmann::json plan_json(const rollout::Plan& plan);

}  // namespace backstay::wire
