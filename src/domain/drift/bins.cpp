#include "domain/drift/bins.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace backstay::drift {

namespace {

constexpr int kQuantileBins = 10;

using Numbers = std::array<double, RowBlock::kRows>;
using Places = std::array<std::int64_t, RowBlock::kRows>;

[[gnu::always_inline]] inline void count_above_in(double edge, const Numbers& numbers, Places& counts) {
  for (std::size_t row = 0; row < RowBlock::kRows; ++row) counts[row] += edge < numbers[row] ? 1 : 0;
}
void count_above_any(double edge, const Numbers& numbers, Places& counts) {
  count_above_in(edge, numbers, counts);
}
#ifdef __x86_64__
[[gnu::target("avx2")]] void count_above_avx2(double edge, const Numbers& numbers, Places& counts) {
  count_above_in(edge, numbers, counts);
}
const auto count_above = __builtin_cpu_supports("avx2") ? count_above_avx2 : count_above_any;
#else
const auto count_above = count_above_any;
#endif

double certain_total(const ColumnProfile& column) {
  double out = 0;
  for (const CategorySketch::Entry& entry : column.categories.entries())
    if (entry.certain() >= kLeastShared) out += static_cast<double>(entry.certain());
  return out;
}

}  // namespace

bool is_categorical(const ColumnProfile& column) {
  const std::uint64_t values = column.numbers + column.booleans + column.texts;
  if (values == 0 || column.categories.entries().empty()) return false;
  // Of a stored profile the entries are only those that enough rows share: it says how many different there were.
  if (column.texts == 0) return !column.many_numbers && column.distinct() <= kMaxClasses;
  return certain_total(column) >= kCategorical * static_cast<double>(values);
}

bool are_quantities(const ColumnProfile& training, const ColumnProfile& live) {
  return live.many_numbers && training.quantiles.count() > 0 && training.texts + training.booleans == 0;
}

Bins::Bins(const ColumnProfile& training) {
  if (is_categorical(training)) {
    kind_ = Kind::kCategories;
    std::vector<CategorySketch::Entry> entries = training.categories.entries();
    std::erase_if(entries, [](const auto& entry) { return entry.certain() < kLeastShared; });
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return a.certain() != b.certain() ? a.certain() > b.certain() : a.hash < b.hash;
    });
    if (entries.size() > kMaxCategories) entries.resize(kMaxCategories);
    for (const auto& entry : entries) categories_.push_back(entry.hash);
    std::sort(categories_.begin(), categories_.end());
    return;
  }
  cut_into_tenths(training);
}

void Bins::cut_into_tenths(const ColumnProfile& training) {
  if (training.quantiles.count() == 0) return;
  kind_ = Kind::kQuantiles;
  const std::vector<Weighted> sorted = training.quantiles.sorted();
  for (int i = 1; i < kQuantileBins; ++i) {
    const double edge = quantile(sorted, static_cast<double>(i) / kQuantileBins);
    // A last bin that nothing can be in tells nothing.
    if ((edges_.empty() || edge > edges_.back()) && edge < sorted.back().value) edges_.push_back(edge);
  }
}

Bins::Bins(const ColumnProfile& training, const ColumnProfile& live) : Bins(training) {
  const auto values = [](const ColumnProfile& column) {
    return static_cast<double>(column.numbers + column.booleans + column.texts);
  };
  if (kind_ != Kind::kCategories || values(live) <= 0) return;
  if (are_quantities(training, live)) {
    *this = Bins();
    cut_into_tenths(training);
    return;
  }
  // Of so many rows training has hardly ever as few as its profile does not tell.
  const auto untold = static_cast<double>(std::max<std::uint64_t>(training.categories.floor(), kLeastShared - 1));
  const double least =
      std::ceil((untold + 3 * std::sqrt(untold) + 3) * (values(training) + values(live)) / values(training));
  std::map<std::uint32_t, double> sums;
  for (const ColumnProfile* column : {&training, &live})
    for (const CategorySketch::Entry& entry : column->categories.entries())
      sums[entry.hash] += static_cast<double>(entry.certain());
  std::vector<std::pair<double, std::uint32_t>> frequent;
  for (const auto& [hash, sum] : sums)
    if (sum >= least) frequent.emplace_back(-sum, hash);
  std::sort(frequent.begin(), frequent.end());
  if (frequent.size() > kMaxCompared) frequent.resize(kMaxCompared);
  categories_.clear();
  for (const auto& [sum, hash] : frequent) categories_.push_back(hash);
  std::sort(categories_.begin(), categories_.end());
}

Bins Bins::of_told(const ColumnProfile& training) {
  Bins out;
  out.kind_ = Kind::kCategories;
  for (const CategorySketch::Entry& entry : training.categories.entries())
    if (entry.certain() >= kLeastShared) out.categories_.push_back(entry.hash);
  return out;
}

std::size_t Bins::bin_of(double number) const {
  // There are few: looking at all of them is quicker than a search, whose branches nobody can foresee.
  std::size_t below = 0;
  for (const double edge : edges_) below += edge < number ? 1 : 0;
  return below;
}

void Bins::find(const std::array<double, RowBlock::kRows>& numbers,
                std::array<std::int64_t, RowBlock::kRows>& bins) const {
  bins.fill(0);
  for (const double edge : edges_) count_above(edge, numbers, bins);
}

std::size_t Bins::bin_of(std::uint32_t category) const {
  std::size_t below = 0;
  for (const std::uint32_t each : categories_) below += each < category ? 1 : 0;
  return below < categories_.size() && categories_[below] == category ? below : categories_.size();
}

std::vector<double> Bins::counts(const ColumnProfile& column) const {
  std::vector<double> out(size(), 0.0);
  if (kind_ == Kind::kQuantiles) {
    for (const Weighted& each : column.quantiles.sorted()) out[bin_of(each.value)] += each.weight;
    return out;
  }
  double known = 0;
  for (const CategorySketch::Entry& entry : column.categories.entries()) {
    const std::size_t bin = bin_of(entry.hash);
    if (bin == categories_.size()) continue;
    out[bin] += static_cast<double>(entry.certain());
    known += static_cast<double>(entry.certain());
  }
  out.back() = static_cast<double>(column.numbers + column.booleans + column.texts) - known;
  return out;
}

std::vector<double> Bins::slack(const ColumnProfile& column) const {
  std::vector<double> out(size(), 0.0);
  if (kind_ != Kind::kCategories) return out;
  double untold = static_cast<double>(column.numbers + column.booleans + column.texts);
  std::fill(out.begin(), out.end() - 1, static_cast<double>(column.categories.floor()));
  for (const CategorySketch::Entry& entry : column.categories.entries()) {
    untold -= static_cast<double>(entry.certain());
    if (const std::size_t bin = bin_of(entry.hash); bin < categories_.size())
      out[bin] = static_cast<double>(entry.error);
  }
  untold = std::max(0.0, untold);
  double all = 0;
  for (double& each : out) all += each = std::min(each, untold);
  out.back() = std::min(all, untold);
  return out;
}

std::vector<double> Bins::counts_like(const ColumnProfile& column, const std::vector<double>& like) const {
  std::vector<double> out = counts(column);
  const std::vector<double> most = slack(column);
  if (most.back() <= 0) return out;
  double total = 0;
  double total_like = 0;
  for (const double each : out) total += each;
  for (const double each : like) total_like += each;
  if (total_like <= 0) return out;
  std::vector<double> wanted(out.size() - 1);
  double all = 0;
  for (std::size_t bin = 0; bin < wanted.size(); ++bin)
    all += wanted[bin] = std::clamp(total * like[bin] / total_like - out[bin], 0.0, most[bin]);
  const double part = all > most.back() ? most.back() / all : 1;
  for (std::size_t bin = 0; bin < wanted.size(); ++bin) out[bin] += part * wanted[bin];
  out.back() -= part * all;
  return out;
}

}  // namespace backstay::drift
