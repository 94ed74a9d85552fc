#include "domain/guardrails/judgement.hpp"

#include <cmath>

#include "domain/traffic/text_value.hpp"

namespace backstay::guardrails {

using Kind = Signal::Kind;

std::optional<bool> was_right(const Signal& signal, double predicted_score, double label) {
  if (signal.right_when == Signal::RightWhen::kSame) {
    if (traffic::is_text(label)) return predicted_score == label;
    // Predictions are kept as floats.
    return std::abs(predicted_score - label) <= signal.difference + 1e-6 * std::abs(label);
  }
  if (!(label >= 0 && label <= 1)) return std::nullopt;  // On no side.
  const bool positive = label >= 0.5;
  if (signal.among == Signal::Among::kPositives && !positive) return std::nullopt;
  if (signal.among == Signal::Among::kNegatives && positive) return std::nullopt;
  // A prediction that held no score was no use to anyone.
  if (std::isnan(predicted_score) || traffic::is_text(predicted_score)) return false;
  return Predicate{Predicate::Op::kAtLeast, signal.positive_at}.holds(predicted_score) == positive;
}

bool agree(const Signal& signal, double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return false;
  if (signal.ok_when) return signal.ok_when->holds(a) == signal.ok_when->holds(b);
  return std::abs(a - b) <= signal.difference;
}

bool is_bad(const GuardrailSpec& spec, double value) {
  if (std::isnan(value)) return true;
  switch (spec.signal.kind) {
    case Kind::kError:
    case Kind::kReport:
    case Kind::kSchema: return value > 0.5;
    case Kind::kFeedback:
    case Kind::kAgreement:
    case Kind::kConversion: return value < 0.5;
    case Kind::kLatency:
    case Kind::kFirstByte: return value > spec.objective.bound;
    case Kind::kResponseValue:
    case Kind::kResponseBytes:
    case Kind::kStatus:
    case Kind::kClassifier: return !spec.signal.ok_when->holds(value);
  }
  return true;
}

double allowed_bad(const GuardrailSpec& spec) {
  const Objective& goal = spec.objective;
  if (is_duration(spec.signal.kind)) return 1 - goal.quantile;
  return goal.kind == Objective::Kind::kAtLeast ? 1 - goal.bound : goal.bound;
}

}  // namespace backstay::guardrails
