#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "domain/gates/gate.hpp"

/// Which figures of a version's scorecards a rule is about.
namespace backstay::gates {

struct Measured {
  const registry::Metric* metric = nullptr;
  registry::ScorecardKind kind = registry::ScorecardKind::kQuality;
  std::optional<double> confidence;  ///< Of its limits, when they are given.
  registry::Source source = registry::Source::kByHand;
};

/// Of the pairs "<metric>_change".
bool is_change(const Rule& rule);

/// What the scorecards say of a rule's metric.
struct Figures {
  std::map<std::string, Measured> by_group;
  std::string stale;  ///< The data set of which newer data was measured than these figures are of; they are left out.
};

/// The newest scorecard that has the rule's metric (of a change also: that it is the change of) in its group; null:
/// none.
const registry::Scorecard* newest_for(const Rule& rule, const std::vector<registry::StoredScorecard>& scorecards);

/// Figures of one data set, and of the data it holds by now: what was measured of other rows is not put beside them. A
/// gap is looked at within one scorecard, the newest with groups among the newest of each kind, so that groups which
/// are no longer measured do not come back. Must not outlive `scorecards`.
Figures figures_for(const Rule& rule, const std::vector<registry::StoredScorecard>& scorecards);

/// Why no scorecard has a metric that others of its kind were measured beside: "No group has a positive." and its like.
/// Empty: nothing else of that group was measured, or it can't be told.
std::string why_missing(const Rule& rule, const std::vector<registry::StoredScorecard>& scorecards);

/// Of which groups, or on which data sets, a metric was measured that was not where the rule asks for it; or what its
/// name may be meant to be. Empty: neither.
std::string measured_elsewhere(const Rule& rule, const std::vector<registry::StoredScorecard>& scorecards);

}  // namespace backstay::gates
