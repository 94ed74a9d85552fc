#include "monitor/remembered_values.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "domain/traffic/unknown_value.hpp"

namespace backstay::monitor {

namespace {

using gateway::ValueSource;
using nlohmann::json;

/// Only what is given is named: a member that sources get later changes nothing for those that don't use it.
json written(const ValueSource& source) {
  json out = json::object();
  if (!source.json_pointer.empty()) out["json_pointer"] = source.json_pointer;
  if (!source.header.empty()) out["header"] = source.header;
  if (!source.tensor.empty()) out["tensor"] = source.tensor;
  if (!source.index.empty()) out["index"] = source.index;
  if (source.of == ValueSource::Of::kRequest) out["of"] = "request";
  return out;
}

json written(const std::vector<ValueSource>& sources) {
  json out = json::array();
  for (const ValueSource& source : sources) out.push_back(written(source));
  return out;
}

}  // namespace

std::string places_text(const std::vector<ValueSource>& sources) {
  return written(sources).dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<RememberedValues> RememberedValues::open(PredictionStore& store, const std::vector<ValueSource>& sources) {
  RememberedValues out;
  const std::string text = places_text(sources);
  TRY(out.plan_, store.value_plan(text));
  TRY(const auto plans, store.value_plans());
  // Both as they were read back: what is no UTF-8 was replaced on both sides.
  const json wanted = json::parse(text);
  for (const auto& [id, places] : plans) {
    const json taken = json::parse(places, nullptr, false);
    if (!taken.is_array() || taken.size() > traffic::kMaxValues) continue;  // Damaged: nothing is known of its values.
    Places& place = out.places_[id];
    place.fill(-1);
    for (std::size_t slot = 0; slot < wanted.size() && slot < place.size(); ++slot) {
      const auto found = std::find(taken.begin(), taken.end(), wanted[slot]);
      if (found != taken.end()) place[slot] = static_cast<int>(found - taken.begin());
    }
  }
  return out;
}

gateway::ValueReader::Values RememberedValues::now(const Prediction& prediction) const {
  gateway::ValueReader::Values out;
  out.fill(traffic::kUnrecorded);
  const auto known = places_.find(prediction.values_of);
  if (known == places_.end()) return out;
  for (std::size_t slot = 0; slot < out.size(); ++slot) {
    const int place = known->second[slot];
    if (place < 0) continue;
    const float value = prediction.outcome.values[static_cast<std::size_t>(place)];
    // It was looked for, and is a number, missing or unread.
    out[slot] = std::isnan(value) && !traffic::is_unread(value) ? traffic::kNoValue : value;
  }
  return out;
}

}  // namespace backstay::monitor
