#pragma once

#include <string>

#include "base/result.hpp"
#include "domain/gates/gate.hpp"
#include "domain/registry/scorecard.hpp"
#include "wire/document.hpp"

namespace backstay::wire {

/// {"kind", "dataset", "evaluator", "confidence", "metrics": [{"name", "group", "value", "samples", "lower", "upper",
/// "baseline"}]}
std::string to_json(const registry::Scorecard& scorecard);
Result<registry::Scorecard> scorecard_from(const Document& document);

/// A gate file:
///
///     name: production
///     confidence: 0.95
///     scan: suspicious
///     rules:
///       - {metric: accuracy, at_least: 0.9}
///       - {metric: latency_p95_seconds, at_most: 0.05}
///       - {metric: sensitivity, max_gap: 0.1}
///       - {metric: accuracy, min_samples: 200}
///       - {metric: accuracy, max_drop: 0.01}
Result<gates::Gate> gate_from(const Document& document);

/// The verdict table, as stored with a verdict: {"decision", "rows": [{"rule", "observed", "decision", "explanation"}]}
std::string to_json(const gates::Verdict& verdict);

}  // namespace backstay::wire
