#include "domain/drift/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "domain/drift/bins.hpp"
#include "domain/drift/distances.hpp"
#include "domain/drift/pair_drift.hpp"
#include "domain/drift/vector_drift.hpp"

namespace backstay::drift {

namespace {

// Rows outside of the training extremes, if nothing changed: 2 of n + 1 places in the order, and the sketch knows the
// extremes exactly. More than this share is a finding.
constexpr double kOutOfRange = 0.01;
constexpr double kOtherKind = 0.005;
constexpr double kMoreUnseen = 0.02;

double count(std::uint64_t n) {
  return static_cast<double>(n);
}

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

std::vector<double> shares_of(std::vector<double> counts) {
  double total = 0;
  for (const double each : counts) total += each;
  for (double& each : counts) each = share(each, total);
  return counts;
}

std::vector<double> five_quantiles(std::span<const Weighted> sample) {
  std::vector<double> out;
  for (const double q : {0.05, 0.25, 0.5, 0.75, 0.95}) out.push_back(quantile(sample, q));
  return out;
}

/// What a shift is measured in: the training deviation. Of a column that was constant but for rounding (`noise`, beside
/// its values) any change is as large as it is beside the value itself.
double scale_of(double deviation, double level, double noise) {
  constexpr double kBesideAConstant = 1e-3;
  if (deviation > std::abs(level) * noise) return deviation;
  return level == 0 ? 1 : std::abs(level) * kBesideAConstant;
}

void compare_numbers(const ColumnProfile& training, const ColumnProfile& live, const Bins& bins,
                     const Thresholds& limits, ColumnDrift& out) {
  const std::vector<Weighted> a = training.quantiles.sorted();
  const std::vector<Weighted> b = live.quantiles.sorted();
  if (b.empty()) return;
  out.test = "ks";
  out.ks = out.statistic = kolmogorov_smirnov(a, b);
  out.p_value = ks_p_value(*out.ks, training.quantiles.effective_count(), live.quantiles.effective_count());
  out.wasserstein = wasserstein(a, b);
  constexpr double kNoise = 1e-12;
  out.shift = *out.wasserstein / scale_of(deviation(a), training.mean(), kNoise);
  const std::vector<double> counts_a = bins.counts(training);
  const std::vector<double> counts_b = bins.counts(live);
  out.psi = psi(counts_a, counts_b);
  out.js = jensen_shannon(counts_a, counts_b);
  out.training_shares = shares_of(counts_a);
  out.live_shares = shares_of(counts_b);
  out.edges = bins.edges();
  out.training_quantiles = five_quantiles(a);
  out.live_quantiles = five_quantiles(b);
  out.drifted = *out.shift >= limits.shift || *out.psi >= limits.psi;
}

/// Over the bins. What neither profile tells is no difference.
struct CategoryCounts {
  std::vector<double> training, live;
};

CategoryCounts category_counts(const ColumnProfile& training, const ColumnProfile& live, const Bins& bins) {
  CategoryCounts out;
  out.live = bins.counts_like(live, bins.counts(training));
  out.training = bins.counts_like(training, out.live);
  return out;
}

void compare_categories(const CategoryCounts& counts, const Thresholds& limits, ColumnDrift& out) {
  const std::vector<double>& a = counts.training;
  const std::vector<double>& b = counts.live;
  const TestResult test = chi_squared(a, b);
  out.test = "chi_squared";
  out.statistic = test.statistic;
  out.p_value = test.p_value;
  out.psi = psi(a, b);
  out.js = jensen_shannon(a, b);
  out.training_shares = shares_of(a);
  out.live_shares = shares_of(b);
  out.drifted = *out.js >= limits.js;
}

struct NamedTest {
  const char* name;
  double statistic;
  double p_value;
};

/// Of several tests of one column the least p-value counts, paid for by their number (Bonferroni).
void take_least(std::initializer_list<NamedTest> tests, ColumnDrift& out) {
  const NamedTest& least = *std::min_element(
      tests.begin(), tests.end(), [](const NamedTest& a, const NamedTest& b) { return a.p_value < b.p_value; });
  out.test = least.name;
  out.statistic = least.statistic;
  out.p_value = std::min(1.0, static_cast<double>(tests.size()) * least.p_value);
}

void compare_texts(const ColumnProfile& training, const ColumnProfile& live, const Thresholds& limits,
                   ColumnDrift& out) {
  const std::vector<Weighted> a = training.text.lengths.sorted();
  const std::vector<Weighted> b = live.text.lengths.sorted();
  if (a.empty() || b.empty()) return;
  const auto counts = [](const auto& from) { return std::vector<double>(from.begin(), from.end()); };
  // Words of one text depend on each other: each text counts as one word.
  const auto words = [&](const ColumnProfile& column) {
    std::vector<double> out_words = counts(column.text.words);
    const double weight = share(count(column.texts), count(column.text.word_count()));
    for (double& each : out_words) each *= std::min(weight, 1.0);
    return out_words;
  };
  const double ks = kolmogorov_smirnov(a, b);
  const double p_lengths = ks_p_value(ks, training.text.lengths.effective_count(), live.text.lengths.effective_count());
  const TestResult scripts = chi_squared(counts(training.text.scripts), counts(live.text.scripts));
  const TestResult vocabulary = chi_squared(words(training), words(live));
  out.ks = ks;
  out.wasserstein = wasserstein(a, b);
  out.shift = *out.wasserstein / std::max(deviation(a), 1.0);
  const double js_scripts = jensen_shannon(counts(training.text.scripts), counts(live.text.scripts));
  const double js_words = jensen_shannon(words(training), words(live));
  out.js = std::max(js_scripts, js_words);
  out.drifted = *out.js >= limits.js || *out.shift >= limits.shift;
  take_least({{"lengths", ks, p_lengths},
              {"scripts", scripts.statistic, scripts.p_value},
              {"vocabulary", vocabulary.statistic, vocabulary.p_value}},
             out);
  out.training_quantiles = five_quantiles(a);
  out.live_quantiles = five_quantiles(b);
}

void compare_vectors(const ColumnProfile& training, const ColumnProfile& live, const Thresholds& limits,
                     ColumnDrift& out) {
  const VectorProfile& before = training.vectors;
  const VectorProfile& now = live.vectors;
  if (now.count() == 0 || now.dimension() != before.dimension()) return;
  const std::vector<Weighted> a = before.norms().sorted();
  const std::vector<Weighted> b = now.norms().sorted();
  const MmdTest mmd = mmd_test(points_of(before), points_of(now));
  const TestResult means = means_test(before.moments(), now.moments());
  out.mmd = mmd.squared;
  out.ks = kolmogorov_smirnov(a, b);
  const double p_norms = ks_p_value(*out.ks, before.norms().effective_count(), now.norms().effective_count());
  // Vectors of one length are so up to the rounding of floats, written with six digits or so.
  constexpr double kNoise = 1e-5;
  const double norm_scale = scale_of(deviation(a), quantile(a, 0.5), kNoise);
  const double scale = scale_of(std::sqrt(before.moments().trace()), quantile(a, 0.5), kNoise);
  out.wasserstein = frechet_distance(before.moments(), now.moments());
  out.shift = *out.wasserstein / scale;
  out.drifted = *out.shift >= limits.shift || mmd.squared >= limits.mmd * limits.mmd ||
                wasserstein(a, b) / norm_scale >= limits.shift;
  take_least(
      {{"mmd", mmd.squared, mmd.p_value}, {"means", means.statistic, means.p_value}, {"norms", *out.ks, p_norms}}, out);
  out.training_quantiles = five_quantiles(a);
  out.live_quantiles = five_quantiles(b);
}

void find_missing(const ColumnProfile& training, const ColumnProfile& live, const Thresholds& limits,
                  ColumnDrift& out) {
  const double before = share(count(training.missing), count(training.rows()));
  const double now = share(count(live.missing), count(live.rows()));
  if (std::abs(now - before) < limits.missing) return;
  out.quality.push_back(
      {QualityFinding::Kind::kMissing, before, now,
       two_shares_p_value(count(training.missing), count(training.rows()), count(live.missing), count(live.rows())),
       fmt::format("{:.1f}% of the values are missing; {:.1f}% were in training.", now * 100, before * 100)});
}

void find_types(const ColumnProfile& training, const ColumnProfile& live, ColumnDrift& out) {
  const auto check = [&](std::uint64_t before, std::uint64_t now, const char* what) {
    if (before > 0 || now == 0) return;
    const double part = share(count(now), count(live.present()));
    const double p = two_shares_p_value(0, count(training.present()), count(now), count(live.present()));
    if (part < kOtherKind) return;
    out.quality.push_back({QualityFinding::Kind::kType, 0, part, p,
                           fmt::format("{:.1f}% of the values are {}; in training the column was {}.", part * 100, what,
                                       training.type())});
  };
  if (training.present() == 0) return;
  check(training.numbers, live.numbers, "numbers");
  check(training.booleans, live.booleans, "booleans");
  check(training.texts, live.texts, "texts");
  check(training.nested, live.nested, "nested");
}

/// Vectors of another length than training's: of another model, or another version of it.
void find_dimensions(const ColumnProfile& training, const ColumnProfile& live, ColumnDrift& out) {
  const VectorProfile& before = training.vectors;
  const VectorProfile& now = live.vectors;
  if (before.count() == 0) return;
  const double all = count(now.count() + now.others());
  const double other = now.dimension() == before.dimension() ? count(now.others()) : all;
  const double then = share(count(before.others()), count(before.count() + before.others()));
  if (share(other, all) - then < kOtherKind) return;
  out.quality.push_back(
      {QualityFinding::Kind::kType, then, share(other, all),
       two_shares_p_value(count(before.others()), count(before.count() + before.others()), other, all),
       fmt::format("{:.1f}% of the vectors have other than the {} numbers that they had in training.",
                   100 * share(other, all), before.dimension())});
}

void find_range(const ColumnProfile& training, const ColumnProfile& live, ColumnDrift& out) {
  if (training.numbers == 0 || live.quantiles.count() == 0) return;
  if (live.min >= training.min && live.max <= training.max) return;
  double outside = 0;
  for (const Weighted& each : live.quantiles.sorted())
    if (each.value < training.min || each.value > training.max) outside += each.weight;
  const double part = share(outside, count(live.quantiles.count()));
  if (part < kOutOfRange) return;
  const double n = count(training.numbers);
  out.quality.push_back(
      {QualityFinding::Kind::kRange, 0, part, two_shares_p_value(2, n + 2, outside, live.quantiles.effective_count()),
       fmt::format("{:.1f}% of the numbers are outside of [{:.6g}, {:.6g}], where all of training was; the live "
                   "extremes are {:.6g} and {:.6g}.",
                   part * 100, training.min, training.max, live.min, live.max)});
}

/// Categories that training had rarely or never: those that its profile does not tell. What share they have in other
/// rows is estimated as Good and Turing do: of categories that had fewer than k rows it is that of what had k or fewer.
void find_unseen(const ColumnProfile& training, const ColumnProfile& live, ColumnDrift& out) {
  const double before_n = count(training.numbers + training.booleans + training.texts);
  const double now_n = count(live.numbers + live.booleans + live.texts);
  if (now_n <= 0) return;
  const Bins told = Bins::of_told(training);
  const std::vector<double> then = told.counts(training);
  const double other = told.counts_like(live, then).back();
  const std::uint64_t as_rare = std::max(kLeastShared, training.categories.floor() + 1);
  double rare = then.back();
  for (const CategorySketch::Entry& entry : training.categories.entries())
    if (entry.certain() >= kLeastShared && entry.certain() <= as_rare) rare += count(entry.certain());
  const double before = share(rare, before_n);
  const double now = share(other, now_n);
  if (now - before < kMoreUnseen) return;
  out.quality.push_back({QualityFinding::Kind::kUnseen, before, now, two_shares_p_value(rare, before_n, other, now_n),
                         fmt::format("{:.1f}% of the values are of categories that training had rarely or never "
                                     "({:.1f}% there).",
                                     now * 100, before * 100)});
}

ColumnDrift compare_column(const std::string& name, const ColumnProfile& training, const ColumnProfile& live,
                           const Thresholds& limits) {
  ColumnDrift out;
  out.name = name;
  out.training_rows = training.present();
  out.live_rows = live.present();
  const Bins bins(training, live);
  if (bins.kind() == Bins::Kind::kCategories) {
    out.measure = Measure::kCategory;
    if (live.numbers + live.booleans + live.texts > 0)
      compare_categories(category_counts(training, live, bins), limits, out);
  } else if (bins.kind() == Bins::Kind::kQuantiles) {
    out.measure = Measure::kNumber;
    compare_numbers(training, live, bins, limits, out);
  } else if (training.texts > 0 && training.text.lengths.count() > 0) {
    out.measure = Measure::kText;
    compare_texts(training, live, limits, out);
  } else if (training.vectors.count() > 0) {
    out.measure = Measure::kVector;
    compare_vectors(training, live, limits, out);
  }
  find_missing(training, live, limits, out);
  find_types(training, live, out);
  find_dimensions(training, live, out);
  find_range(training, live, out);
  if (bins.kind() == Bins::Kind::kCategories) find_unseen(training, live, out);
  return out;
}

/// Every test of the comparison is one of the family.
void control_findings(const Thresholds& limits, std::vector<ColumnDrift>& columns, std::vector<PairDrift>& pairs) {
  std::vector<double> p_values;
  for (const ColumnDrift& column : columns) {
    if (!column.test.empty()) p_values.push_back(column.p_value);
    for (const QualityFinding& finding : column.quality) p_values.push_back(finding.p_value);
  }
  const std::size_t of_columns = p_values.size();
  for (const PairDrift& pair : pairs) p_values.push_back(pair.p_value);
  std::vector<double> weights;
  if (of_columns > 0 && !pairs.empty()) {
    const double half = static_cast<double>(p_values.size()) / 2;
    weights.assign(of_columns, half / static_cast<double>(of_columns));
    weights.resize(p_values.size(), half / static_cast<double>(pairs.size()));
  }
  const std::vector<double> adjusted = benjamini_hochberg(p_values, weights);
  std::size_t next = 0;
  for (ColumnDrift& column : columns) {
    if (!column.test.empty()) column.adjusted_p = adjusted[next++];
    column.drifted = column.drifted && column.adjusted_p <= limits.alpha;
    for (QualityFinding& finding : column.quality) finding.p_value = adjusted[next++];
    std::erase_if(column.quality, [&](const QualityFinding& finding) { return finding.p_value > limits.alpha; });
  }
  for (PairDrift& pair : pairs) {
    pair.adjusted_p = adjusted[next++];
    pair.drifted = pair.drifted && pair.adjusted_p <= limits.alpha;
  }
}

double size_of(const ColumnDrift& column) {
  return std::max(column.shift.value_or(0), column.js.value_or(0));
}

}  // namespace

const char* to_string(Measure measure) {
  switch (measure) {
    case Measure::kNumber: return "number";
    case Measure::kCategory: return "category";
    case Measure::kText: return "text";
    case Measure::kVector: return "vector";
    case Measure::kNone: return "none";
  }
  return "none";
}

const char* to_string(QualityFinding::Kind kind) {
  switch (kind) {
    case QualityFinding::Kind::kMissing: return "missing";
    case QualityFinding::Kind::kType: return "type";
    case QualityFinding::Kind::kRange: return "range";
    case QualityFinding::Kind::kUnseen: return "unseen";
    case QualityFinding::Kind::kAbsent: return "absent";
  }
  return "";
}

double deviation(std::span<const Weighted> sample) {
  double n = 0;
  double mean = 0;
  double squares = 0;
  for (const Weighted& each : sample) {
    n += each.weight;
    const double step = each.value - mean;
    mean += step * each.weight / n;
    squares += each.weight * step * (each.value - mean);
  }
  return n > 0 ? std::sqrt(squares / n) : 0;
}

std::size_t Comparison::drifted() const {
  return static_cast<std::size_t>(
      std::count_if(columns.begin(), columns.end(), [](const ColumnDrift& c) { return c.drifted; }));
}

std::size_t Comparison::drifted_pairs() const {
  return static_cast<std::size_t>(
      std::count_if(pairs.begin(), pairs.end(), [](const PairDrift& pair) { return pair.drifted; }));
}

std::size_t Comparison::broken() const {
  return static_cast<std::size_t>(
      std::count_if(columns.begin(), columns.end(), [](const ColumnDrift& c) { return !c.quality.empty(); }));
}

Comparison compare(const Profile& training, const Profile& live, const Thresholds& thresholds,
                   const std::set<std::string>& ignored) {
  Comparison out;
  out.training_rows = training.rows;
  out.live_rows = live.rows;
  out.enough = live.rows >= thresholds.min_rows;
  for (const Profile::Named& column : training.columns) {
    if (ignored.contains(column.name)) continue;
    const ColumnProfile* found = live.find(column.name);
    if (found == nullptr) {
      (live.left_out > 0 ? out.not_compared : out.absent).push_back(column.name);
    } else {
      out.columns.push_back(compare_column(column.name, column.column, *found, thresholds));
    }
  }
  for (const Profile::Named& column : live.columns)
    if (!ignored.contains(column.name) && training.find(column.name) == nullptr)
      (training.left_out > 0 ? out.not_compared : out.not_in_training).push_back(column.name);
  std::set<std::string> untested = heavy_tailed(training);
  untested.merge(heavy_tailed(live));
  for (const std::string& name : training.pairs.columns())
    if (untested.contains(name) && !ignored.contains(name)) out.heavy_tailed.push_back(name);
  untested.insert(ignored.begin(), ignored.end());
  out.pairs = compare_pairs(training.pairs, live.pairs, thresholds, untested);
  control_findings(thresholds, out.columns, out.pairs);
  std::stable_sort(out.columns.begin(), out.columns.end(), [](const ColumnDrift& a, const ColumnDrift& b) {
    if (a.drifted != b.drifted) return a.drifted;
    return size_of(a) > size_of(b);
  });
  std::stable_sort(out.pairs.begin(), out.pairs.end(), [](const PairDrift& a, const PairDrift& b) {
    if (a.drifted != b.drifted) return a.drifted;
    return std::abs(a.live - a.training) > std::abs(b.live - b.training);
  });
  return out;
}

std::optional<double> distance(const ColumnProfile& a, const ColumnProfile& b) {
  const auto of_samples = [](const QuantileSketch& x, const QuantileSketch& y) -> std::optional<double> {
    if (x.count() == 0 || y.count() == 0) return std::nullopt;
    const std::vector<Weighted> left = x.sorted();
    const std::vector<Weighted> right = y.sorted();
    const double pooled = std::sqrt((std::pow(deviation(left), 2) + std::pow(deviation(right), 2)) / 2);
    const double apart = wasserstein(left, right);
    if (apart == 0) return 0.0;
    return pooled > 0 ? apart / pooled : 1.0;
  };
  const Bins bins(a);
  if (bins.kind() == Bins::Kind::kCategories && are_quantities(a, b)) return of_samples(a.quantiles, b.quantiles);
  if (bins.kind() == Bins::Kind::kCategories) {
    const CategoryCounts counts = category_counts(a, b, bins);
    return jensen_shannon(counts.training, counts.live);
  }
  if (bins.kind() == Bins::Kind::kQuantiles) return of_samples(a.quantiles, b.quantiles);
  if (a.text.lengths.count() == 0 && a.vectors.count() > 0) return vector_distance(a.vectors, b.vectors);
  return of_samples(a.text.lengths, b.text.lengths);
}

}  // namespace backstay::drift
