#include "cli/drift_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "cli/terminal.hpp"

namespace backstay::cli {

namespace {

using drift::ColumnDrift;

constexpr std::size_t kMaxCharts = 12;
constexpr std::size_t kMaxBars = 24;
constexpr std::size_t kMaxPairs = 20;

std::string number(const std::optional<double>& value) {
  return value ? fmt::format("{:.3f}", *value) : "";
}

std::string p_text(double p) {
  return p < 1e-4 ? "<0.0001" : fmt::format("{:.4f}", p);
}

/// `alarms`: columns that moved within the live rows.
std::string trouble(const ColumnDrift& c, const std::set<std::string>& alarms) {
  std::string out = c.drifted ? "drifted" : alarms.contains(c.name) ? "drifted within the rows" : "";
  for (const drift::QualityFinding& finding : c.quality)
    out += (out.empty() ? "" : ", ") + std::string(drift::to_string(finding.kind));
  return out;
}

std::vector<std::string> row_of(const ColumnDrift& c, const std::set<std::string>& alarms = {}) {
  const std::string what = trouble(c, alarms);
  return {c.name,
          drift::to_string(c.measure),
          number(c.shift),
          number(c.psi),
          number(c.js),
          c.test.empty() ? "" : p_text(c.adjusted_p),
          what.empty() ? coloured(Colour::kDim, "as in training") : coloured(Colour::kRed, what)};
}

std::string bars(const std::vector<double>& shares, double most) {
  static constexpr std::array<const char*, 9> kBlocks{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::string out;
  for (std::size_t i = 0; i < std::min(shares.size(), kMaxBars); ++i) {
    const auto height = most > 0 ? static_cast<std::size_t>(std::lround(shares[i] / most * 8)) : 0;
    out += kBlocks[shares[i] > 0 ? std::clamp<std::size_t>(height, 1, 8) : 0];
    out += kBlocks[shares[i] > 0 ? std::clamp<std::size_t>(height, 1, 8) : 0];
  }
  return out;
}

/// What differs of texts; nothing when nothing does.
std::string text_difference(const ColumnDrift& c) {
  if (c.measure != drift::Measure::kText || !c.drifted) return "";
  if (c.test == "vocabulary") return fmt::format("  other words than in training (Jensen-Shannon {})\n", number(c.js));
  if (c.test == "scripts") return fmt::format("  other writing systems (Jensen-Shannon {})\n", number(c.js));
  return fmt::format("  other lengths (by {} training deviations)\n", number(c.shift));
}

/// Shares of the rows per bin, before and now, on the same scale. `is_time`: its values are times.
std::string chart(const ColumnDrift& c, bool is_time) {
  std::string out = coloured(Colour::kBold, c.name);
  if (c.live_quantiles.size() == 5)
    out += fmt::format("  {}median {:.6g}, was {:.6g}; 5-95% {:.6g} to {:.6g}, was {:.6g} to {:.6g}",
                       c.measure == drift::Measure::kText     ? "length: "
                       : c.measure == drift::Measure::kVector ? "norm: "
                                                              : "",
                       c.live_quantiles[2], c.training_quantiles[2], c.live_quantiles[0], c.live_quantiles[4],
                       c.training_quantiles[0], c.training_quantiles[4]);
  if (c.mmd) out += fmt::format("; MMD {:.3f}", std::sqrt(std::max(0.0, *c.mmd)));
  out += '\n';
  if (!c.training_shares.empty()) {
    double most = 0;
    for (const auto* shares : {&c.training_shares, &c.live_shares})
      for (const double each : *shares) most = std::max(most, each);
    const char* axis = c.edges.empty() ? "categories by hash, the last: all others" : "tenths of the training rows";
    out += fmt::format("  training │{}│ {}\n", bars(c.training_shares, most), axis);
    out += fmt::format("  live     │{}│ the fullest holds {:.0f}%\n", coloured(Colour::kRed, bars(c.live_shares, most)),
                       100 * most);
  }
  out += text_difference(c);
  for (const drift::QualityFinding& finding : c.quality) out += fmt::format("  {}\n", finding.text);
  if (is_time)
    out += fmt::format("  these are times, and later ones always differ: leave them out with --ignore {}\n", c.name);
  return out;
}

/// Pairs of columns that go together differently; empty when there are none.
std::string pairs_text(const drift::Comparison& found, bool all) {
  std::vector<std::vector<std::string>> rows{{"COLUMNS", "CORRELATION", "IN TRAINING", "P", ""}};
  std::size_t left_out = 0;
  for (const drift::PairDrift& pair : found.pairs) {
    if (!pair.drifted && !all) continue;
    if (rows.size() > kMaxPairs) {
      ++left_out;
      continue;
    }
    rows.push_back({pair.x + ", " + pair.y, fmt::format("{:+.3f}", pair.live), fmt::format("{:+.3f}", pair.training),
                    p_text(pair.adjusted_p),
                    pair.drifted ? coloured(Colour::kRed, "drifted") : coloured(Colour::kDim, "as in training")});
  }
  if (rows.size() == 1) return "";
  return "\n" + table(rows) + (left_out > 0 ? fmt::format("and {} more pairs (--json has all)\n", left_out) : "");
}

std::string alarm_text(const services::ColumnAlarm& each) {
  return fmt::format("  {}: since row {}{} {:.0f}% of the values are {}, {:.0f}% were in training; sure by row {}\n",
                     each.column, each.alarm.since, each.since_time.empty() ? "" : " (" + each.since_time + ")",
                     100 * each.alarm.live, each.alarm.what, 100 * each.alarm.training, each.alarm.at);
}

std::string names(const std::vector<std::string>& list) {
  constexpr std::size_t kShown = 8;
  const auto end = list.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, list.size()));
  return fmt::format("{}{}", fmt::join(list.begin(), end, ", "), list.size() > kShown ? ", ..." : "");
}

/// Which columns are beyond those that were profiled, and on which side; empty: none is.
std::string left_out_text(const services::DriftReport& report) {
  std::string out;
  for (const auto& [profile, whose] : {std::pair{&report.training.profile, "training"}, {&report.live.profile, "live"}})
    if (profile->left_out > 0)
      out += fmt::format("{}{} columns of the {} data, beyond the {} that are profiled", out.empty() ? "" : "; ",
                         profile->left_out, whose, profile->columns.size());
  if (out.empty()) return out;
  const std::vector<std::string>& unmatched = report.comparison.not_compared;
  return coloured(Colour::kYellow, "not compared: " + out) + (unmatched.empty() ? "" : " (" + names(unmatched) + ")") +
         "\n";
}

}  // namespace

std::string drift_text(const services::DriftReport& report, const std::string& live_name, bool all) {
  const drift::Comparison& found = report.comparison;
  std::string out =
      fmt::format("{} was trained on {} ({} rows); {} has {} rows\n\n", coloured(Colour::kBold, report.version.str()),
                  names(report.training.slices), found.training_rows, live_name, found.live_rows);
  std::vector<std::vector<std::string>> rows{{"COLUMN", "KIND", "SHIFT", "PSI", "JS", "P", ""}};
  std::set<std::string> alarms;
  for (const services::ColumnAlarm& each : report.live.alarms) alarms.insert(each.column);
  std::size_t calm = 0;
  for (const ColumnDrift& each : found.columns) {
    const bool is_calm = trouble(each, alarms).empty();
    if (is_calm) ++calm;
    if (all || !is_calm) rows.push_back(row_of(each, alarms));
  }
  if (report.prediction) {
    rows.push_back(row_of(*report.prediction));
    rows.back()[1] = "prediction";
  }
  if (rows.size() > 1) out += table(rows) + "\n";
  std::size_t charts = 0;
  for (const ColumnDrift& each : found.columns)
    if (!trouble(each, {}).empty() && charts++ < kMaxCharts) out += chart(each, report.live.times.contains(each.name));
  out += pairs_text(found, all);
  if (!found.heavy_tailed.empty())
    out += coloured(Colour::kDim, fmt::format("relations with {} are not tested: single rows weigh too much there",
                                              names(found.heavy_tailed))) +
           "\n";
  for (const auto& [column, at] : report.since.columns)
    out += fmt::format("  {}: since the window that began at {}\n", column, to_rfc3339(at).substr(0, 19));
  for (const auto& [pair, at] : report.since.pairs)
    out += fmt::format("  {}, {}: since the window that began at {}\n", pair.first, pair.second,
                       to_rfc3339(at).substr(0, 19));
  if (!report.live.alarms.empty()) {
    out += "\nsince when, in the order of the rows (which should be that of time):\n";
    for (const services::ColumnAlarm& each : report.live.alarms) out += alarm_text(each);
  }
  if (!report.live.in_order)
    out += coloured(Colour::kYellow,
                    "note: the rows are not in the order of their times, so since when can't be told: sort them\n");
  if (report.live.errors) {
    const services::ErrorReport& errors = *report.live.errors;
    out += fmt::format("\nof {} labelled predictions {} were wrong; at most {:.1f}% were to be expected{}\n",
                       errors.labelled, errors.wrong, 100 * errors.expected,
                       errors.alarm ? fmt::format(": errors became more frequent, sure by row {}{}", *errors.alarm,
                                                  errors.alarm_time.empty() ? "" : " (" + errors.alarm_time + ")")
                                    : "");
    if (!errors.note.empty()) out += coloured(Colour::kYellow, "note: " + errors.note) + "\n";
  }
  if (calm > 0) out += fmt::format("{} of {} columns are as in training\n", calm, found.columns.size());
  if (!found.absent.empty())
    out += fmt::format("not in the live data{}: {}\n",
                       report.requests > 0 ? ", or left out by the endpoint's configuration" : "", names(found.absent));
  if (!found.not_in_training.empty())
    out += fmt::format("not in the training data: {}\n", names(found.not_in_training));
  out += left_out_text(report);
  if (!report.training.without.empty())
    out += fmt::format("slices without a profile: {}\n", names(report.training.without));
  if (report.dropped + report.unreadable > 0)
    out += fmt::format("{} of {} sampled requests could not be read{}; {} more were not looked into\n",
                       report.unreadable, report.requests,
                       report.unreadable > 0 ? ": " + services::told_unreadable(report.unreadable_for) : "",
                       report.dropped);
  if (!found.enough)
    out += coloured(Colour::kYellow, fmt::format("{} live rows are too few for a verdict.\n", found.live_rows));
  return out;
}

}  // namespace backstay::cli
