#include "domain/gates/gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "domain/gates/certainty.hpp"
#include "domain/registry/measurement.hpp"
#include "domain/registry/metric_scale.hpp"

namespace backstay::gates {

namespace {

using registry::Metric;
using registry::StoredScorecard;

std::string describe(const Measured& measured, const Interval& limits) {
  const Metric& metric = *measured.metric;
  if (limits.lower == limits.upper) return fmt::format("{:.4g} on {}", metric.value, metric.samples);
  if (std::isinf(limits.upper)) return fmt::format("{:.4g} on {}, without limits", metric.value, metric.samples);
  return fmt::format("{:.3f} [{:.3f}, {:.3f}] on {}", metric.value, limits.lower, limits.upper, metric.samples);
}

std::string name_of(const Rule& rule) {
  std::string metric = rule.group.empty() ? rule.metric : fmt::format("{}{{{}}}", rule.metric, rule.group);
  if (!rule.dataset.empty()) metric += " on " + rule.dataset;
  switch (rule.kind) {
    case Rule::Kind::kAtLeast: return fmt::format("{} >= {:g}", metric, rule.bound);
    case Rule::Kind::kAtMost: return fmt::format("{} <= {:g}", metric, rule.bound);
    case Rule::Kind::kMaxGap: return fmt::format("gap in {} <= {:g}", metric, rule.bound);
    case Rule::Kind::kMinSamples: return fmt::format("samples of {} >= {:g}", metric, rule.bound);
    case Rule::Kind::kMaxDrop: return fmt::format("drop in {} <= {:g}", metric, rule.bound);
    case Rule::Kind::kMaxRise: return fmt::format("rise in {} <= {:g}", metric, rule.bound);
  }
  return metric;
}

Row row(const Rule& rule, std::string observed, Decision decision, std::string explanation) {
  return {name_of(rule), std::move(observed), decision, std::move(explanation)};
}

Row not_measured(const Rule& rule, const Figures& figures, const std::vector<StoredScorecard>& scorecards) {
  if (!figures.stale.empty())
    return row(
        rule, "not measured on the newest data", Decision::kInsufficient,
        fmt::format("Other rows of '{}' were measured since: measure it on the same rows again.", figures.stale));
  std::string why = why_missing(rule, scorecards);
  if (why.empty()) why = measured_elsewhere(rule, scorecards);
  return row(rule, "not measured", Decision::kInsufficient,
             why.empty() ? "No scorecard has this metric: measure it with `backstay evaluate`." : why);
}

Row judge_bound(const Rule& rule, const Measured& measured, double confidence) {
  const Interval limits = limits_of(measured, confidence);
  const std::string observed = describe(measured, limits);
  const bool at_least = rule.kind == Rule::Kind::kAtLeast;
  const bool passes = at_least ? limits.lower >= rule.bound : limits.upper <= rule.bound;
  const bool fails = at_least ? limits.upper < rule.bound : limits.lower > rule.bound;
  const std::string lacking = lacks(measured, rule);
  if (const std::string weak = too_weak(measured, confidence); !weak.empty())
    return row(rule, observed, Decision::kInsufficient, weak);
  if (passes && !lacking.empty()) return row(rule, observed, Decision::kInsufficient, lacking);
  if (passes) return row(rule, observed, Decision::kPass, "Clears the bound with confidence.");
  if (fails) return row(rule, observed, Decision::kFail, "Misses the bound, beyond what chance explains.");
  return row(rule, observed, Decision::kInsufficient,
             lacking.empty() ? cannot_tell(rule, measured, confidence) : lacking);
}

using NamedFigures = std::vector<std::pair<std::string, Measured>>;

double spread_of(const NamedFigures& groups) {
  double low = groups.front().second.metric->value;
  double high = low;
  for (const auto& [name, measured] : groups) {
    low = std::min(low, measured.metric->value);
    high = std::max(high, measured.metric->value);
  }
  return high - low;
}

// Of the groups of one attribute.
Row judge_gap_of(const Rule& rule, const NamedFigures& named, double confidence) {
  const auto by_value = [](const auto& a, const auto& b) { return a.second.metric->value < b.second.metric->value; };
  const auto [low, high] = std::minmax_element(named.begin(), named.end(), by_value);
  const Metric& worst = *low->second.metric;
  const Metric& best = *high->second.metric;
  const double gap = best.value - worst.value;
  const Interval limits = gap_limits(high->second, low->second, confidence);
  std::string lacking = lacks(low->second, rule);
  if (lacking.empty()) lacking = lacks(high->second, rule);
  std::string observed = std::isinf(limits.upper)
                             ? fmt::format("{:.3f}, without limits,", gap)
                             : fmt::format("{:.3f} [{:.3f}, {:.3f}]", gap, std::max(limits.lower, 0.0), limits.upper);
  observed += fmt::format(" {} vs {}", high->first, low->first);
  const bool passes = limits.upper <= rule.bound;
  for (const Measured* each : {&low->second, &high->second})
    if (const std::string weak = too_weak(*each, confidence); !weak.empty())
      return row(rule, observed, Decision::kInsufficient, weak);
  if (passes && !lacking.empty()) return row(rule, observed, Decision::kInsufficient, lacking);
  if (passes) return row(rule, observed, Decision::kPass, "The groups are alike, with confidence.");
  if (limits.lower > rule.bound)
    return row(rule, observed, Decision::kFail,
               fmt::format("'{}' is served worse than '{}'.", low->first, high->first));
  if (!lacking.empty()) return row(rule, observed, Decision::kInsufficient, lacking);
  return row(rule, observed, Decision::kInsufficient,
             fmt::format("{} and {} samples cannot tell: measure on more.", best.samples, worst.samples));
}

// Groups are compared within their attribute, or their combination of attributes: site=a with site=b, not with sex=f.
// The row is that of the attribute that is judged worst; among those that are judged alike, of the greatest gap.
Row judge_gap(const Rule& rule, const std::map<std::string, Measured>& groups, double confidence) {
  std::map<std::string, NamedFigures> by_attribute;
  for (const auto& [group, measured] : groups)
    by_attribute[registry::attribute_of(group)].emplace_back(group, measured);
  const auto severity = [](Decision decision) {
    return decision == Decision::kFail ? 2 : decision == Decision::kInsufficient ? 1 : 0;
  };
  std::optional<Row> worst;
  double spread = 0;
  for (const auto& [attribute, named] : by_attribute) {
    if (named.size() < 2) continue;
    Row judged = judge_gap_of(rule, named, confidence);
    const double found = spread_of(named);
    const int more = worst ? severity(judged.decision) - severity(worst->decision) : 1;
    if (more < 0 || (more == 0 && found <= spread)) continue;
    worst = std::move(judged);
    spread = found;
  }
  if (worst) return *worst;
  return row(rule, "fewer than two groups", Decision::kInsufficient,
             "Measure the metric in two groups of an attribute, or name the data set that has them: dataset: NAME.");
}

// Against production on the same rows. What robustness tests compare is the version with itself.
Row judge_change(const Rule& rule, const Figures& figures, double confidence,
                 const std::vector<StoredScorecard>& scorecards, const std::string& production) {
  const Measured* measured = figures.by_group.empty() ? nullptr : &figures.by_group.begin()->second;
  const bool with_itself = rule.metric.starts_with("robustness_");
  if (measured == nullptr && production.empty() && !with_itself)
    return row(rule, "nothing to compare with", Decision::kPass, "No other version is in production.");
  if (measured == nullptr && !figures.stale.empty()) return not_measured(rule, figures, {});
  if (const std::string where = measured == nullptr ? measured_elsewhere(rule, scorecards) : ""; !where.empty())
    return row(rule, "not compared", Decision::kInsufficient, where);
  if (measured == nullptr)
    return row(rule, "not compared", Decision::kInsufficient,
               with_itself ? "Run the suite with this robustness test: backstay evaluate."
                           : fmt::format("Compare it with {} on the same rows: backstay evaluate.", production));
  const Metric& metric = *measured->metric;
  if (!has_limits(*measured))
    return row(rule, fmt::format("{:+.4g}", metric.value), Decision::kInsufficient,
               metric.samples > 0 && metric.samples < kFewestForLimits
                   ? fmt::format("{} samples are too few for limits of a change: measure it on {} or more.",
                                 metric.samples, kFewestForLimits)
                   : "A change without confidence limits can't pass.");
  const std::string against = metric.baseline.empty() ? "" : " against " + metric.baseline;
  const std::string observed = fmt::format("{:+.3f} [{:+.3f}, {:+.3f}] on {}{}", metric.value, *metric.lower,
                                           *metric.upper, metric.samples, against);
  if (const std::string weak = too_weak(*measured, confidence); !weak.empty())
    return row(rule, observed, Decision::kInsufficient, weak);
  if (!with_itself && metric.baseline != production && !production.empty())
    return row(rule, observed, Decision::kInsufficient,
               fmt::format("{} is in production: evaluate again to compare with it.", production));
  const bool drop = rule.kind == Rule::Kind::kMaxDrop;
  const bool passes = drop ? *metric.lower >= -rule.bound : *metric.upper <= rule.bound;
  const bool fails = drop ? *metric.upper < -rule.bound : *metric.lower > rule.bound;
  if (passes && all_alike(*measured)) return row(rule, observed, Decision::kInsufficient, lacks(*measured, rule));
  if (passes) return row(rule, observed, Decision::kPass, "Not worse by more than the margin, with confidence.");
  if (fails) return row(rule, observed, Decision::kFail, "Worse by more than the margin, beyond what chance explains.");
  return row(rule, observed, Decision::kInsufficient, cannot_tell(rule, *measured, confidence));
}

Row judge_figures(const Rule& rule, const Figures& figures, double confidence,
                  const std::vector<StoredScorecard>& scorecards, const std::string& production) {
  if (is_change(rule)) return judge_change(rule, figures, confidence, scorecards, production);
  const bool gap = rule.kind == Rule::Kind::kMaxGap;
  if (gap && newest_for(rule, scorecards) != nullptr && figures.stale.empty())
    return judge_gap(rule, figures.by_group, confidence);
  const auto found = figures.by_group.begin();
  if (found == figures.by_group.end()) return not_measured(rule, figures, scorecards);
  if (rule.kind != Rule::Kind::kMinSamples) return judge_bound(rule, found->second, confidence);
  const std::uint64_t samples = found->second.metric->samples;
  const bool enough = static_cast<double>(samples) >= rule.bound;
  return row(rule, fmt::format("{}", samples), enough ? Decision::kPass : Decision::kInsufficient,
             enough ? "Enough samples." : "Measure on more samples.");
}

// "; 2 groups of site are too small and left out": what a gap says nothing of.
std::string small_groups_beside(const Rule& rule, const Figures& figures,
                                const std::vector<StoredScorecard>& scorecards) {
  const registry::Scorecard* newest = newest_for(rule, scorecards);
  if (newest == nullptr) return "";
  std::set<std::string> attributes;
  for (const auto& [group, measured] : figures.by_group) attributes.insert(registry::attribute_of(group));
  std::string out;
  for (auto stored = scorecards.rbegin(); stored != scorecards.rend() && !attributes.empty(); ++stored) {
    if (stored->scorecard.dataset != newest->dataset) continue;
    for (const Metric& metric : stored->scorecard.metrics)
      if (metric.name == "small_groups" && attributes.erase(metric.group) > 0 && metric.value > 0)
        out += fmt::format("; {:g} of the groups of {} {} too small and left out", metric.value, metric.group,
                           metric.value == 1 ? "is" : "are");
  }
  return out;
}

Row judge(const Rule& rule, double confidence, const std::vector<StoredScorecard>& scorecards,
          const std::string& production) {
  const Figures figures = figures_for(rule, scorecards);
  Row judged = judge_figures(rule, figures, confidence, scorecards, production);
  if (rule.kind == Rule::Kind::kMaxGap) judged.observed += small_groups_beside(rule, figures, scorecards);
  judged.by_hand = std::any_of(figures.by_group.begin(), figures.by_group.end(),
                               [](const auto& each) { return registry::is_by_hand(each.second.source); });
  return judged;
}

// Those that the gate lets count.
std::vector<StoredScorecard> counted(const Gate& gate, const std::vector<StoredScorecard>& scorecards) {
  std::vector<StoredScorecard> out;
  for (const StoredScorecard& stored : scorecards) {
    const registry::Source source =
        registry::is_by_hand(stored.scorecard.source) ? registry::Source::kByHand : stored.scorecard.source;
    if (std::find(gate.evidence.begin(), gate.evidence.end(), source) != gate.evidence.end()) out.push_back(stored);
  }
  return out;
}

std::string list_of(const std::vector<registry::Source>& sources) {
  std::string names;
  for (const registry::Source source : sources) names += (names.empty() ? "" : ", ") + std::string(to_string(source));
  return names;
}

Row judge_scan(const Gate& gate, const ScanEvidence& scan) {
  const std::string rule = fmt::format("scan: {}", scan::to_string(gate.worst_scan));
  if (!scan.verdict)
    return {rule, "not scanned", Decision::kInsufficient, "Scan its artifacts with `backstay scan VERSION`."};
  const std::string verdict = scan::to_string(*scan.verdict);
  std::string observed = scan.found.empty() ? verdict : fmt::format("{} ({})", verdict, scan.found);
  if (*scan.verdict == scan::Verdict::kDangerous) {
    if (!scan.accepted.empty()) {
      observed += fmt::format(", signed for by {}", scan.accepted);
      return {rule, observed, Decision::kPass, "Each endpoint looks whether it trusts the key."};
    }
    return {rule, observed, Decision::kFail,
            "Register a version without it, or let someone answer for it with `backstay scan accept`."};
  }
  if (*scan.verdict > gate.worst_scan)
    return {rule, observed, Decision::kFail, "The gate allows only artifacts in which everything is known."};
  return {rule, observed, Decision::kPass,
          *scan.verdict == scan::Verdict::kSafe ? "Nothing in the artifacts can run unknown code."
                                                : "Not everything in the artifacts is known; the gate allows that."};
}

}  // namespace

const char* to_string(Decision decision) {
  switch (decision) {
    case Decision::kPass: return "PASS";
    case Decision::kFail: return "FAIL";
    case Decision::kInsufficient: return "INSUFFICIENT";
  }
  return "INSUFFICIENT";
}

Result<void> validate(const Gate& gate) {
  TRY_DO(registry::check_name("gate", gate.name));
  if (gate.rules.empty())
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The gate '{}' has no rules.", gate.name),
                      "A gate without rules would let everything pass: add at least one.");
  if (!(gate.confidence >= 0.5 && gate.confidence < 1))
    return Unexpected(ErrorCode::kInvalidArgument, "The confidence is outside of [0.5, 1).", "0.95 is usual.");
  for (const Rule& rule : gate.rules) {
    if (rule.metric.empty() || !std::isfinite(rule.bound) || rule.bound < 0)
      return Unexpected(
          ErrorCode::kInvalidArgument,
          fmt::format("The rule '{}' has no metric or a bound that is not a number of 0 or more.", name_of(rule)),
          is_change(rule) ? "max_drop and max_rise are how much worse it may be: 0.01 allows a point, 0 nothing."
                          : "Write it like {metric: accuracy, at_least: 0.9}.");
    if (rule.kind != Rule::Kind::kMinSamples && rule.bound > 1 && registry::is_known_rate(rule.metric))
      return Unexpected(
          ErrorCode::kInvalidArgument,
          fmt::format("The bound of the rule '{}' is above 1, and {} is in [0, 1].", name_of(rule), rule.metric),
          "Write it as a share: 0.9 for 90%.");
  }
  return {};
}

std::vector<std::string> doubts(const Gate& gate) {
  std::vector<std::string> out;
  for (const Rule& rule : gate.rules) {
    const bool from_above = rule.kind == Rule::Kind::kAtMost || rule.kind == Rule::Kind::kMaxRise;
    const bool from_below = rule.kind == Rule::Kind::kAtLeast || rule.kind == Rule::Kind::kMaxDrop;
    const auto scale = registry::known_scale(rule.metric);
    if (from_above && scale && scale->better == registry::Better::kHigher)
      out.push_back(
          fmt::format("The rule '{}' keeps {} from being too great, and more of it is better: {} is likely what "
                      "is meant.",
                      name_of(rule), rule.metric, rule.kind == Rule::Kind::kAtMost ? "at_least" : "max_drop"));
    if (from_below && scale && scale->better == registry::Better::kLower)
      out.push_back(
          fmt::format("The rule '{}' keeps {} from being too small, and less of it is better: {} is likely what "
                      "is meant.",
                      name_of(rule), rule.metric, rule.kind == Rule::Kind::kAtLeast ? "at_most" : "max_rise"));
  }
  return out;
}

Verdict evaluate(const Gate& gate, const registry::Manifest& manifest, const std::vector<StoredScorecard>& scorecards,
                 const ScanEvidence* scan, const std::string& production) {
  Verdict verdict;
  const auto missing = registry::missing_parts(manifest);
  verdict.rows.push_back({"version is complete",
                          missing.empty() ? "complete" : fmt::format("missing: {}", fmt::join(missing, ", ")),
                          missing.empty() ? Decision::kPass : Decision::kFail,
                          missing.empty() ? "Code, data, configuration and changelog are recorded."
                                          : "Register a new version that has them."});
  if (scan != nullptr) verdict.rows.push_back(judge_scan(gate, *scan));
  const std::vector<StoredScorecard> some =
      gate.evidence.empty() ? std::vector<StoredScorecard>{} : counted(gate, scorecards);
  const std::vector<StoredScorecard>& all = gate.evidence.empty() ? scorecards : some;
  for (const Rule& rule : gate.rules) {
    Row judged = judge(rule, gate.confidence, all, production);
    if (&all != &scorecards && newest_for(rule, all) == nullptr && newest_for(rule, scorecards) != nullptr)
      judged.explanation = fmt::format("Only scorecards that do not count here have it: the gate takes what is {}.",
                                       list_of(gate.evidence));
    verdict.rows.push_back(std::move(judged));
  }
  const auto any = [&](Decision decision) {
    return std::any_of(verdict.rows.begin(), verdict.rows.end(), [&](const Row& r) { return r.decision == decision; });
  };
  verdict.decision = any(Decision::kFail)           ? Decision::kFail
                     : any(Decision::kInsufficient) ? Decision::kInsufficient
                                                    : Decision::kPass;
  return verdict;
}

}  // namespace backstay::gates
