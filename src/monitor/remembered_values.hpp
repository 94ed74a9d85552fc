#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/value_reader.hpp"
#include "ports/predictions.hpp"

namespace backstay::monitor {

/// The places that values are looked for in, in their order, as the one text that there is of it.
std::string places_text(const std::vector<gateway::ValueSource>& sources);

/// Predictions are remembered with the values that the guardrails of their time took, in the order of that time; their
/// labels may come when the guardrails are others. This puts the values where the guardrails of now look for them. For
/// one endpoint. Not thread-safe.
class RememberedValues {
 public:
  /// Knows of no values: all of them are unrecorded.
  RememberedValues() = default;
  /// Has the store know these sources, and reads which others there were.
  static Result<RememberedValues> open(PredictionStore& store, const std::vector<gateway::ValueSource>& sources);

  /// For a prediction whose values are in the order of these sources.
  ValuePlanId plan() const { return plan_; }
  /// The values of a prediction that was remembered, in the order of these sources. What its guardrails did not take is
  /// traffic::kUnrecorded, and so is everything when it is from before there was a record of what they took.
  gateway::ValueReader::Values now(const Prediction& prediction) const;

 private:
  using Places = std::array<int, traffic::kMaxValues>;  ///< Of a value of now among those of then; -1: not taken.

  ValuePlanId plan_ = kNoValuePlan;
  std::unordered_map<ValuePlanId, Places> places_;
};

}  // namespace backstay::monitor
