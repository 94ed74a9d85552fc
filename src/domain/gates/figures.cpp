#include "domain/gates/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "base/text.hpp"
#include "domain/registry/measurement.hpp"

namespace backstay::gates {

namespace {

using registry::Metric;
using registry::StoredScorecard;

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

struct Reason {
  std::string_view metric;
  const char* text;
};
// Of what `backstay evaluate` leaves out.
constexpr Reason kReasons[] = {
    {"demographic_parity_ratio", "no group is called positive at all"},
    {"demographic_parity_difference", "there are fewer than two groups to compare"},
    {"equalized_odds_ratio", "fewer than two groups can be compared, or no positive row is found in any"},
    {"equalized_odds_difference", "fewer than two groups can be compared, or none has positive (or negative) rows"},
    {"equal_opportunity_difference", "fewer than two groups can be compared, or none has positive rows"},
    {"precision", "no row is called positive"},
    {"recall", "no row is positive"},
    {"specificity", "no row is negative"},
    {"f1", "no row is positive, or called so"},
    {"roc_auc", "all rows are of one class"},
    {"average_precision", "all rows are of one class"},
    {"balanced_accuracy", "all rows are of one class"},
    {"matthews_correlation", "all rows are of one class"},
    {"r2", "there is one row only"},
    {"latency_p50_seconds", "there were too few requests to enclose it"},
    {"latency_p95_seconds", "there were too few requests to enclose it"},
    {"latency_p99_seconds", "there were too few requests to enclose it: it takes 368"},
    {"latency_mean_seconds", "there were too few requests for limits: it takes 30"},
};

std::string first_of(const std::set<std::string>& names) {
  constexpr std::ptrdiff_t kShown = 10;
  const bool more = std::ssize(names) > kShown;
  return fmt::format("{}{}", fmt::join(names.begin(), more ? std::next(names.begin(), kShown) : names.end(), ", "),
                     more ? ", ..." : "");
}

}  // namespace

std::string why_missing(const Rule& rule, const std::vector<StoredScorecard>& scorecards) {
  const auto* const reason = std::find_if(std::begin(kReasons), std::end(kReasons),
                                          [&](const Reason& each) { return each.metric == rule.metric; });
  if (reason == std::end(kReasons)) return "";
  const bool latency = rule.metric.starts_with("latency_");
  for (auto stored = scorecards.rbegin(); stored != scorecards.rend(); ++stored) {
    const registry::Scorecard& card = stored->scorecard;
    if ((!rule.dataset.empty() && card.dataset != rule.dataset) || registry::data_digest(card).empty()) continue;
    if (latency != (card.kind == registry::ScorecardKind::kLatency)) continue;
    const bool same_group = std::any_of(card.metrics.begin(), card.metrics.end(),
                                        [&](const Metric& metric) { return metric.group == rule.group; });
    if (!same_group) continue;
    // Where there were two groups to compare this is always among the metrics of bias.
    const std::string always = "demographic_parity_difference";
    const std::string text =
        card.kind == registry::ScorecardKind::kBias && !has_metric(card, always, &rule.group)
            ? fmt::format("fewer than two of the groups of {} have as many rows as min_group asks for", rule.group)
            : reason->text;
    return fmt::format("It is not defined on the rows of '{}': {}.", card.dataset, text);
  }
  return "";
}

std::string measured_elsewhere(const Rule& rule, const std::vector<StoredScorecard>& scorecards) {
  const std::string name = is_change(rule) ? rule.metric + "_change" : rule.metric;
  std::set<std::string> groups;
  std::set<std::string> datasets;
  std::set<std::string> names;
  for (const StoredScorecard& stored : scorecards) {
    const registry::Scorecard& card = stored.scorecard;
    for (const Metric& metric : card.metrics) {
      names.insert(metric.name);
      if (metric.name != name) continue;
      datasets.insert(card.dataset.empty() ? "data without a name" : "'" + card.dataset + "'");
      if (rule.dataset.empty() || card.dataset == rule.dataset)
        groups.insert(metric.group.empty() ? "everyone" : metric.group);
    }
  }
  if (!groups.empty())
    return fmt::format("It was measured of {}, not of {}. Groups with fewer rows than min_group are not measured.",
                       first_of(groups), rule.group.empty() ? "everyone" : rule.group);
  if (!datasets.empty()) return fmt::format("It was measured on {}, not on '{}'.", first_of(datasets), rule.dataset);
  if (names.contains(rule.metric)) return "";
  const auto meant = nearest(rule.metric, {names.begin(), names.end()});
  return meant ? fmt::format("No scorecard has this metric. Did you mean '{}'?", *meant) : "";
}

bool is_change(const Rule& rule) {
  return rule.kind == Rule::Kind::kMaxDrop || rule.kind == Rule::Kind::kMaxRise;
}

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
      if (metric.name == name && wanted)
        figures.by_group[metric.group] = {&metric, card.kind, card.confidence, card.source};
    }
  }
  if (!figures.by_group.empty()) figures.stale.clear();
  return figures;
}

}  // namespace backstay::gates
