#pragma once

#include <optional>

#include "domain/guardrails/guardrail_spec.hpp"

/// What a specification says of one value.
namespace backstay::guardrails {

/// For kFeedback: whether a prediction was right; nullopt when the case is not among those that are judged.
std::optional<bool> was_right(const Signal& signal, double predicted_score, double label);

/// For kAgreement: whether both numbers say the same.
bool agree(const Signal& signal, double a, double b);
/// Whether an outcome's value is bad under the specification's objective; a missing one (NaN) is.
bool is_bad(const GuardrailSpec& spec, double value);
/// The share of outcomes that an absolute objective lets be bad.
double allowed_bad(const GuardrailSpec& spec);

}  // namespace backstay::guardrails
