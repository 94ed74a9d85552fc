#include "domain/drift/sequential.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "domain/drift/value_hash.hpp"

namespace backstay::drift {

namespace {

// Against a null this close to 1 no share can be more.
constexpr double kMostCertain = 0.999;
constexpr std::size_t kWatchedCategories = 9;

double relative_entropy(double p, double q) {
  const auto part = [](double a, double b) { return a > 0 ? a * std::log(a / b) : 0.0; };
  return part(p, q) + part(1 - p, 1 - q);
}

/// How many more rows OTHER may have, if nothing changed, than training's rows say: categories that are not in it were
/// the most frequent ones there, which they are partly by chance. By Good and Turing, where OTHER is what the profile
/// does not tell; else by four fifths of a standard deviation of each category, as when the larger half is chosen.
double rarer_than_they_are(const ColumnProfile& training, const Bins& bins) {
  if (bins.kind() != Bins::Kind::kCategories) return 0;
  constexpr double kOfTheLargerHalf = 0.8;
  const std::uint64_t as_rare = std::max(kLeastShared, training.categories.floor() + 1);
  double rare = 0;
  double deviations = 0;
  std::size_t told = 0;
  for (const CategorySketch::Entry& entry : training.categories.entries()) {
    if (entry.certain() < kLeastShared) continue;
    ++told;
    const auto rows = static_cast<double>(entry.certain());
    if (entry.certain() <= as_rare) rare += rows;
    if (bins.bin_of(entry.hash) < bins.categories().size()) deviations += std::sqrt(rows);
  }
  return told > bins.categories().size() ? kOfTheLargerHalf * deviations : rare;
}

}  // namespace

ColumnWatch::ColumnWatch(const ColumnProfile& training, const WatchPlan& plan)
    : bins_(training), plan_(plan), log_limit_(-std::log(plan.alpha)) {
  if (bins_.kind() == Bins::Kind::kNone) return;
  const std::vector<double> counts = bins_.counts(training);
  pending_.assign(counts.size(), 0);
  counts_.assign(counts.size(), 0);
  double total = 0;
  for (const double each : counts) total += each;
  const double worth = bins_.kind() == Bins::Kind::kQuantiles ? training.quantiles.effective_count() : total;
  const double eps = plan.tolerance + std::sqrt(std::log(2 / plan.delta) / (2 * worth));
  // Where a profile does not tell which category values were of, a share may be more, and that of OTHER less.
  const std::vector<double> slack = bins_.slack(training);
  const double regression = rarer_than_they_are(training, bins_);
  std::vector<std::pair<double, std::size_t>> events;  // Share in training, bin.
  double below = 0;
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    below += counts[bin];
    const bool last = bin + 1 == counts.size();
    if (bins_.kind() == Bins::Kind::kCategories) {
      events.emplace_back(counts[bin] / total, bin);
    } else if (!last) {
      events.emplace_back(below / total, bin);
    }
  }
  if (bins_.kind() == Bins::Kind::kCategories && events.size() > kWatchedCategories + 1) {
    std::stable_sort(events.begin(), events.end() - 1, [](const auto& a, const auto& b) { return a.first > b.first; });
    events.erase(events.begin() + kWatchedCategories, events.end() - 1);
  }
  for (const auto& [share, bin] : events) {
    for (const bool upwards : {true, false}) {
      double most = share;
      if (bins_.kind() == Bins::Kind::kCategories && upwards != (bin + 1 == counts.size()))
        most += (upwards ? slack[bin] : -slack[bin]) / total;
      if (bins_.kind() == Bins::Kind::kCategories && upwards && bin + 1 == counts.size()) most += regression / total;
      const double null = (upwards ? most : 1 - most) + eps;
      if (null < kMostCertain)
        processes_.push_back({bin, upwards, most, guardrails::AbsoluteRateTest(null, plan.restarts)});
    }
  }
}

void ColumnWatch::observe(std::size_t bin) {
  ++rows_;
  if (processes_.empty()) return;
  ++pending_[bin];
  ++values_;
  if (++since_look_ >= look_after_) look();
}

std::uint64_t ColumnWatch::find_bins(const RowBlock::Column& column, RowBins& bins) const {
  if (bins_.kind() == Bins::Kind::kQuantiles) {
    bins_.find(column.values, bins);
    return column.numbers;
  }
  for_each_row(column.numbers, [&](std::size_t row) {
    bins[row] = static_cast<std::int64_t>(bins_.bin_of(category_of(hash_of_number(column.values[row]))));
  });
  for_each_row(column.texts | column.booleans, [&](std::size_t row) {
    const bool was_found = (column.texts >> row & 1) != 0 && column.same[row] < row;
    bins[row] =
        was_found ? bins[column.same[row]] : static_cast<std::int64_t>(bins_.bin_of(category_of(column.hashes[row])));
  });
  return column.numbers | column.texts | column.booleans;
}

void ColumnWatch::observe(const RowBlock::Column& column, std::size_t rows) {
  const std::uint64_t before = rows_;
  RowBins bins;
  const std::uint64_t telling = find_bins(column, bins);
  for_each_row(processes_.empty() ? 0 : telling, [&](std::size_t row) {
    ++pending_[static_cast<std::size_t>(bins[row])];
    ++values_;
    if (++since_look_ < look_after_) return;
    rows_ = before + row + 1;
    look();
  });
  rows_ = before + rows;
}

std::uint64_t ColumnWatch::hits(const std::vector<std::uint64_t>& counts, std::size_t bin) const {
  if (bins_.kind() == Bins::Kind::kCategories) return counts[bin];
  std::uint64_t out = 0;
  for (std::size_t i = 0; i <= bin; ++i) out += counts[i];
  return out;
}

void ColumnWatch::settle() {
  for (Process& process : processes_) {
    const std::uint64_t hit = hits(pending_, process.bin);
    const std::uint64_t bad = process.upwards ? hit : since_look_ - hit;
    process.test.observe(bad, since_look_ - bad);
  }
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += pending_[i];
  std::fill(pending_.begin(), pending_.end(), 0);
  since_restart_ += since_look_;
  since_look_ = 0;
}

void ColumnWatch::look() {
  settle();
  if (!alarm_) {
    // Their mean reaches what at least one of them does.
    const bool could = std::any_of(processes_.begin(), processes_.end(),
                                   [&](const Process& process) { return process.test.could_be(log_limit_); });
    if (could && log_e() >= log_limit_) alarm_ = explain();
    mark();
  }
  look_after_ = std::clamp(values_ / kLookShare, kLookEvery, kLookAtLeastEvery);
  if (plan_.restarts.every > 0 && since_restart_ >= plan_.restarts.every) {
    for (Process& process : processes_) process.test.restart();
    since_restart_ = 0;
  }
}

void ColumnWatch::mark() {
  if (values_ - marked_ < mark_every_) return;
  marked_ = values_;
  marks_.push_back({rows_, counts_});
  if (marks_.size() < kMaxMarks) return;
  // Half as many, twice as far apart.
  std::size_t kept = 0;
  for (std::size_t i = 1; i < marks_.size(); i += 2) marks_[kept++] = std::move(marks_[i]);
  marks_.resize(kept);
  mark_every_ *= 2;
}

double ColumnWatch::log_e() const {
  if (processes_.empty()) return 0;
  std::vector<double> logs;
  logs.reserve(processes_.size());
  for (const Process& process : processes_) logs.push_back(process.test.log_e());
  return guardrails::log_mean_exp(logs.data(), logs.size());
}

// The event whose evidence is greatest, and the row since which its share is furthest from training's, in likelihood.
ColumnWatch::Alarm ColumnWatch::explain() const {
  const auto most = std::max_element(processes_.begin(), processes_.end(), [](const Process& a, const Process& b) {
    return a.test.log_e() < b.test.log_e();
  });
  Alarm out;
  out.at = rows_;
  out.training = most->share;
  const auto now_hits = static_cast<double>(hits(counts_, most->bin));
  const auto now = static_cast<double>(values_);
  double best = -1;
  const auto consider = [&](std::uint64_t row, double hits_before, double values_before) {
    const double n = now - values_before;
    if (n < kLookEvery) return;
    const double share = (now_hits - hits_before) / n;
    if (most->upwards ? share <= most->share : share >= most->share) return;
    const double ratio = n * relative_entropy(share, std::clamp(most->share, 1e-6, 1 - 1e-6));
    if (ratio <= best) return;
    best = ratio;
    out.since = row;
    out.live = share;
  };
  consider(0, 0, 0);
  for (const Mark& mark : marks_) {
    double values_before = 0;
    for (const std::uint64_t each : mark.counts) values_before += static_cast<double>(each);
    consider(mark.row, static_cast<double>(hits(mark.counts, most->bin)), values_before);
  }
  if (bins_.kind() == Bins::Kind::kQuantiles) {
    out.what = fmt::format("at most {:.6g}", bins_.edges()[most->bin]);
  } else {
    out.what = most->bin < bins_.categories().size() ? fmt::format("category {:08x}", bins_.categories()[most->bin])
                                                     : "other categories";
  }
  return out;
}

ErrorDetector::ErrorDetector(double p0, double run_length) : log_run_length_(std::log(run_length)) {
  constexpr std::array<double, kGrid> kOdds{1.25, 1.5, 2, 3, 5, 10};
  for (std::size_t j = 0; j < kGrid; ++j) {
    const double odds = kOdds[j] * p0 / (1 - p0);
    const double q = odds / (1 + odds);
    error_factor_[j] = q / p0;
    good_factor_[j] = (1 - q) / (1 - p0);
  }
}

double ErrorDetector::log_statistic() const {
  double sum = 0;
  for (const double each : statistic_) sum += each;
  return std::log(sum / kGrid);
}

bool ErrorDetector::observe(bool error) {
  // Between alarms the statistic stays below the run length times one factor: no logarithms are needed.
  for (std::size_t j = 0; j < kGrid; ++j)
    statistic_[j] = (statistic_[j] + 1) * (error ? error_factor_[j] : good_factor_[j]);
  if (log_statistic() < log_run_length_) return false;
  ++alarms_;
  statistic_.fill(0);
  return true;
}

}  // namespace backstay::drift
