#pragma once

#include <string>

#include "base/result.hpp"
#include "domain/gates/gate.hpp"
#include "domain/registry/scorecard.hpp"
#include "wire/document.hpp"

namespace backstay::wire {

/// {"kind", "dataset", "evaluator", "confidence", "metrics": [{"name", "group", "value", "samples", "lower", "upper",
/// "baseline"}], "source": "by_hand", "evaluated" or "signed"}
std::string to_json(const registry::Scorecard& scorecard);
/// As people write it: where it comes from is not theirs to say.
Result<registry::Scorecard> scorecard_from(const Document& document);
/// As to_json() wrote it; those of before have no source.
Result<registry::Scorecard> stored_scorecard_from(const Document& document);

/// A gate file:
///
///     name: production
///     confidence: 0.95
///     scan: suspicious
///     evidence: [evaluated, signed]     # or by_hand; all when it is left out
///     rules:
///       - {metric: accuracy, at_least: 0.9}
///       - {metric: latency_p95_seconds, at_most: 0.05}
///       - {metric: sensitivity, max_gap: 0.1}
///       - {metric: accuracy, min_samples: 200}
///       - {metric: accuracy, max_drop: 0.01}
Result<gates::Gate> gate_from(const Document& document);

/// The verdict table, as stored with a verdict: {"decision", "rows": [{"rule", "observed", "decision",
/// "explanation"}]}; "by_hand": true in a row that rests on a scorecard which somebody wrote.
std::string to_json(const gates::Verdict& verdict);
/// The rules of such a table that rest on scorecards which somebody wrote.
std::vector<std::string> rules_by_hand(const std::string& evidence);

}  // namespace backstay::wire
