#include "domain/gates/gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "domain/gates/intervals.hpp"
#include "domain/registry/measurement.hpp"

namespace backstay::gates {

namespace {

using registry::Metric;
using registry::StoredScorecard;

struct Measured {
  const Metric* metric = nullptr;
  registry::ScorecardKind kind = registry::ScorecardKind::kQuality;
  std::optional<double> confidence;  // Of its limits, when they are given.
};

bool is_change(const Rule& rule) {
  return rule.kind == Rule::Kind::kMaxDrop || rule.kind == Rule::Kind::kMaxRise;
}

// What the scorecards say of a rule's metric.
struct Figures {
  std::map<std::string, Measured> by_group;
  std::string stale;  // The data set of which newer data was measured than these figures are of; they are left out.
};

// Empty: what stands in the verdict is of any data, as of a scorecard that somebody wrote.
std::string newest_data(const std::string& dataset, const std::vector<StoredScorecard>& scorecards) {
  for (auto stored = scorecards.rbegin(); stored != scorecards.rend(); ++stored) {
    if (stored->scorecard.dataset != dataset) continue;
    if (std::string digest = registry::data_digest(stored->scorecard); !digest.empty()) return digest;
  }
  return "";
}

bool has_metric(const registry::Scorecard& card, const std::string& name, const std::string* group = nullptr) {
  return std::any_of(card.metrics.begin(), card.metrics.end(), [&](const Metric& metric) {
    return metric.name == name && (group == nullptr || metric.group == *group);
  });
}

// The newest scorecard that has the rule's metric (of a change also: that it is the change of) in its group.
const registry::Scorecard* newest_for(const Rule& rule, const std::vector<StoredScorecard>& scorecards) {
  const std::string* group = rule.kind == Rule::Kind::kMaxGap ? nullptr : &rule.group;
  for (auto stored = scorecards.rbegin(); stored != scorecards.rend(); ++stored) {
    const registry::Scorecard& card = stored->scorecard;
    if (!rule.dataset.empty() && card.dataset != rule.dataset) continue;
    if (has_metric(card, rule.metric, group)) return &card;
    if (is_change(rule) && has_metric(card, rule.metric + "_change", group)) return &card;
  }
  return nullptr;
}

// Figures of one data set, and of the data it holds by now: what was measured of other rows is not put beside them. A
// gap is looked at within one scorecard, the newest with groups among the newest of each kind, so that groups which are
// no longer measured do not come back.
Figures figures_for(const Rule& rule, const std::vector<StoredScorecard>& scorecards) {
  Figures figures;
  const registry::Scorecard* newest = newest_for(rule, scorecards);
  if (newest == nullptr) return figures;
  const std::string name = is_change(rule) ? rule.metric + "_change" : rule.metric;
  const std::string data = is_change(rule) ? registry::data_digest(*newest) : newest_data(newest->dataset, scorecards);
  std::set<registry::ScorecardKind> seen;
  for (auto stored = scorecards.rbegin(); stored != scorecards.rend() && figures.by_group.empty(); ++stored) {
    const registry::Scorecard& card = stored->scorecard;
    if (card.dataset != newest->dataset || !has_metric(card, name)) continue;
    const std::string digest = registry::data_digest(card);
    if (digest != data && (is_change(rule) || !digest.empty())) {
      figures.stale = card.dataset;
      continue;
    }
    if (rule.kind == Rule::Kind::kMaxGap && !seen.insert(card.kind).second) continue;
    for (const Metric& metric : card.metrics) {
      const bool wanted = rule.kind == Rule::Kind::kMaxGap ? !metric.group.empty() : metric.group == rule.group;
      if (metric.name == name && wanted) figures.by_group[metric.group] = {&metric, card.kind, card.confidence};
    }
  }
  if (!figures.by_group.empty()) figures.stale.clear();
  return figures;
}

bool is_time(const Measured& measured) {
  const std::string& name = measured.metric->name;
  return measured.kind == registry::ScorecardKind::kLatency || name.ends_with("_seconds");
}

bool has_limits(const Measured& measured) {
  return measured.metric->lower && measured.metric->upper;
}

bool is_rate(const Measured& measured) {
  return !is_time(measured) && measured.metric->value >= 0 && measured.metric->value <= 1;
}

// Why it may not pass a rule whatever its value says; empty: it may. Nothing tells how far chance moves a mean of
// samples that is no rate.
std::string lacks(const Measured& measured, const Rule& rule) {
  const Metric& metric = *measured.metric;
  if (is_time(measured) || is_rate(measured)) return "";
  const bool share = rule.bound > 0 && rule.bound <= 1 && rule.kind == Rule::Kind::kAtLeast;
  if (metric.value > 1 && metric.value <= 100 && (share || registry::is_known_rate(metric.name)) &&
      !has_limits(measured))
    return fmt::format("{:g} looks like a percentage: add a scorecard with {:g}.", metric.value, metric.value / 100);
  if (registry::is_known_rate(metric.name)) return "A rate lies in [0, 1]: add a scorecard with a share.";
  if (has_limits(measured) || (metric.samples == 0 && !share)) return "";
  return fmt::format(
      "{:g} on {} samples has no confidence limits: add a scorecard with lower and upper, or a rate "
      "in [0, 1].",
      metric.value, metric.samples);
}

Interval limits_of(const Measured& measured, double confidence) {
  const Metric& metric = *measured.metric;
  if (has_limits(measured)) return {*metric.lower, *metric.upper};
  if (is_rate(measured)) return wilson(metric.value, metric.samples, confidence);
  return {metric.value, metric.value};
}

std::string describe(const Measured& measured, const Interval& limits) {
  const Metric& metric = *measured.metric;
  if (limits.lower == limits.upper) return fmt::format("{:.4g} on {}", metric.value, metric.samples);
  return fmt::format("{:.3f} [{:.3f}, {:.3f}] on {}", metric.value, limits.lower, limits.upper, metric.samples);
}

// Limits that hold less often than the gate asks for say nothing to it. Empty: they hold often enough.
std::string too_weak(const Measured& measured, double confidence) {
  constexpr double kRounding = 1e-9;
  if (!has_limits(measured) || !measured.confidence || *measured.confidence >= confidence - kRounding) return "";
  return fmt::format("Its limits hold at {:g}, and the gate asks for {:g}: measure with confidence: {:g}.",
                     *measured.confidence, confidence, confidence);
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

Row not_measured(const Rule& rule, const Figures& figures) {
  if (!figures.stale.empty())
    return row(
        rule, "not measured on the newest data", Decision::kInsufficient,
        fmt::format("Other rows of '{}' were measured since: measure it on the same rows again.", figures.stale));
  return row(rule, "not measured", Decision::kInsufficient,
             "No scorecard has this metric: add one with `backstay scorecard add`.");
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
             fmt::format("{} samples cannot tell: measure on more.", measured.metric->samples));
}

// Of the difference of two groups. Limits that were given are combined as Newcombe's method 10 combines Wilson's.
Interval gap_limits(const Measured& high, const Measured& low, double confidence) {
  const Metric& a = *high.metric;
  const Metric& b = *low.metric;
  if (is_rate(high) && is_rate(low)) return newcombe(a.value, a.samples, b.value, b.samples, confidence);
  const double gap = a.value - b.value;
  if (!has_limits(high) || !has_limits(low)) return {gap, gap};
  return {gap - std::hypot(a.value - *a.lower, *b.upper - b.value),
          gap + std::hypot(*a.upper - a.value, b.value - *b.lower)};
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
  const std::string observed = fmt::format("{:.3f} [{:.3f}, {:.3f}] {} vs {}", gap, std::max(limits.lower, 0.0),
                                           limits.upper, high->first, low->first);
  const bool passes = limits.upper <= rule.bound;
  for (const Measured* each : {&low->second, &high->second})
    if (const std::string weak = too_weak(*each, confidence); !weak.empty())
      return row(rule, observed, Decision::kInsufficient, weak);
  if (passes && !lacking.empty()) return row(rule, observed, Decision::kInsufficient, lacking);
  if (passes) return row(rule, observed, Decision::kPass, "The groups are alike, with confidence.");
  if (limits.lower > rule.bound)
    return row(rule, observed, Decision::kFail,
               fmt::format("'{}' is served worse than '{}'.", low->first, high->first));
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
Row judge_change(const Rule& rule, const Figures& figures, double confidence, const std::string& production) {
  const Measured* measured = figures.by_group.empty() ? nullptr : &figures.by_group.begin()->second;
  const bool with_itself = rule.metric.starts_with("robustness_");
  if (measured == nullptr && production.empty() && !with_itself)
    return row(rule, "nothing to compare with", Decision::kPass, "No other version is in production.");
  if (measured == nullptr && !figures.stale.empty()) return not_measured(rule, figures);
  if (measured == nullptr)
    return row(rule, "not compared", Decision::kInsufficient,
               with_itself ? "Run the suite with this robustness test: backstay evaluate."
                           : fmt::format("Compare it with {} on the same rows: backstay evaluate.", production));
  const Metric& metric = *measured->metric;
  if (!has_limits(*measured))
    return row(rule, fmt::format("{:+.4g}", metric.value), Decision::kInsufficient,
               "A change without confidence limits can't pass.");
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
  if (passes) return row(rule, observed, Decision::kPass, "Not worse by more than the margin, with confidence.");
  if (fails) return row(rule, observed, Decision::kFail, "Worse by more than the margin, beyond what chance explains.");
  return row(rule, observed, Decision::kInsufficient,
             fmt::format("{} samples cannot tell: measure on more.", metric.samples));
}

Row judge(const Rule& rule, double confidence, const std::vector<StoredScorecard>& scorecards,
          const std::string& production) {
  const Figures figures = figures_for(rule, scorecards);
  if (is_change(rule)) return judge_change(rule, figures, confidence, production);
  const bool gap = rule.kind == Rule::Kind::kMaxGap;
  if (gap && newest_for(rule, scorecards) != nullptr && figures.stale.empty())
    return judge_gap(rule, figures.by_group, confidence);
  const auto found = figures.by_group.begin();
  if (found == figures.by_group.end()) return not_measured(rule, figures);
  if (rule.kind != Rule::Kind::kMinSamples) return judge_bound(rule, found->second, confidence);
  const std::uint64_t samples = found->second.metric->samples;
  const bool enough = static_cast<double>(samples) >= rule.bound;
  return row(rule, fmt::format("{}", samples), enough ? Decision::kPass : Decision::kInsufficient,
             enough ? "Enough samples." : "Measure on more samples.");
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
          fmt::format("The rule '{}' has no metric or a bound that is not a number of 0 or more.", name_of(rule)), "");
    if (rule.kind != Rule::Kind::kMinSamples && rule.bound > 1 && registry::is_known_rate(rule.metric))
      return Unexpected(
          ErrorCode::kInvalidArgument,
          fmt::format("The bound of the rule '{}' is above 1, and {} is in [0, 1].", name_of(rule), rule.metric),
          "Write it as a share: 0.9 for 90%.");
  }
  return {};
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
  for (const Rule& rule : gate.rules) verdict.rows.push_back(judge(rule, gate.confidence, scorecards, production));
  const auto any = [&](Decision decision) {
    return std::any_of(verdict.rows.begin(), verdict.rows.end(), [&](const Row& r) { return r.decision == decision; });
  };
  verdict.decision = any(Decision::kFail)           ? Decision::kFail
                     : any(Decision::kInsufficient) ? Decision::kInsufficient
                                                    : Decision::kPass;
  return verdict;
}

}  // namespace backstay::gates
