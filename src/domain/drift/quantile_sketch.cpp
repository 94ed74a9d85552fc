#include "domain/drift/quantile_sketch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace backstay::drift {

namespace {

constexpr std::size_t kLeastCapacity = 32;
constexpr std::size_t kMaxLevels = 48;
/// Single values are sorted so many at once, and go up this many levels: one of 8 then stands for all of them.
constexpr std::size_t kBatch = 256;
constexpr std::size_t kJump = 3;
constexpr std::uint32_t kLeastK = 8;
constexpr std::uint32_t kMaxK = 65'536;
// The standard deviation of a rank is about this over k.
constexpr double kRankError = 0.9;

/// (2/3)^depth.
constexpr std::array<double, kMaxLevels> kShrink = [] {
  std::array<double, kMaxLevels> out{};
  double share = 1;
  for (double& each : out) {
    each = share;
    share *= 2.0 / 3;
  }
  return out;
}();

// SplitMix64: spreads a counter over all bits.
std::uint64_t spread(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// What is merged and sorted here is random, so every branch on it is foreseen wrongly half of the time: the loops have
// none.

/// Of two ascending ranges.
void merge_into(std::span<const double> a, std::span<const double> b, double* out) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    const bool first = a[i] <= b[j];
    out[i + j] = first ? a[i] : b[j];
    i += first ? 1 : 0;
    j += first ? 0 : 1;
  }
  std::copy(a.begin() + static_cast<std::ptrdiff_t>(i), a.end(), out + i + j);
  std::copy(b.begin() + static_cast<std::ptrdiff_t>(j), b.end(), out + a.size() + j);
}

/// Of the two ascending halves of `values`: from both ends at once, neither of which waits for the other.
void merge_halves(std::span<const double> values, double* out) {
  const std::size_t half = values.size() / 2;
  std::size_t a = 0, b = half, a_end = half, b_end = 2 * half;
  for (std::size_t i = 0; i < half; ++i) {
    const bool first = values[a] <= values[b];
    out[i] = first ? values[a] : values[b];
    a += first ? 1 : 0;
    b += first ? 0 : 1;
    const bool last = values[b_end - 1] >= values[a_end - 1];
    out[2 * half - 1 - i] = last ? values[b_end - 1] : values[a_end - 1];
    b_end -= last ? 1 : 0;
    a_end -= last ? 0 : 1;
  }
}

constexpr std::size_t kNetwork = 8;

/// Batcher's odd-even merge sort of eight (1968), in registers.
void sort_eight(double* v) {
  std::array<double, kNetwork> x;
  std::copy_n(v, kNetwork, x.begin());
  const auto order = [&x](std::size_t a, std::size_t b) {
    const double left = x[a];
    const double right = x[b];
    x[a] = left < right ? left : right;
    x[b] = left > right ? left : right;
  };
  order(0, 1), order(2, 3), order(4, 5), order(6, 7);
  order(0, 2), order(1, 3), order(4, 6), order(5, 7);
  order(1, 2), order(5, 6), order(0, 4), order(3, 7);
  order(1, 5), order(2, 6);
  order(2, 4), order(3, 5);
  order(1, 2), order(3, 4), order(5, 6);
  std::copy_n(x.begin(), kNetwork, v);
}

/// Runs of eight, then pairs of runs. For some hundreds of values.
void sort_values(std::vector<double>& values, std::vector<double>& scratch) {
  const std::size_t size = values.size();
  std::size_t sorted = 0;
  for (; sorted + kNetwork <= size; sorted += kNetwork) sort_eight(&values[sorted]);
  std::sort(values.begin() + static_cast<std::ptrdiff_t>(sorted), values.end());
  scratch.resize(size);
  for (std::size_t run = kNetwork; run < size; run *= 2) {
    for (std::size_t at = 0; at < size; at += 2 * run) {
      const std::span<const double> rest = std::span<const double>(values).subspan(at);
      if (rest.size() >= 2 * run) {
        merge_halves(rest.first(2 * run), &scratch[at]);
      } else {
        const std::size_t first = std::min(run, rest.size());
        merge_into(rest.first(first), rest.subspan(first), &scratch[at]);
      }
    }
    values.swap(scratch);
  }
}

}  // namespace

void QuantileSketch::start() {
  levels_.emplace_back();
  coins_.emplace_back();
  set_limit();
}

// The top level has k places, each below two thirds of that above it.
std::size_t QuantileSketch::capacity(std::size_t level) const {
  if (levels_.size() == 1) return 2 * std::size_t{k_};
  if (level == 0 && jumps()) return kBatch;
  const double places = std::ceil(k_ * kShrink[std::min(levels_.size() - 1 - level, kMaxLevels - 1)]);
  return std::max(kLeastCapacity, static_cast<std::size_t>(places));
}

bool QuantileSketch::jumps() const {
  return levels_.size() > kJump + 1;
}

void QuantileSketch::set_limit() {
  limit_ = 0;
  for (std::size_t level = 0; level < levels_.size(); ++level) limit_ += capacity(level);
}

void QuantileSketch::compress() {
  while (held_ >= limit_) {
    std::size_t level = 0;
    while (level + 1 < levels_.size() && levels_[level].size() < capacity(level)) ++level;
    compact(level);
  }
}

/// As if each level in between had been compacted, with less of an error: among all that is sorted at once every 8th is
/// taken, while pairs of pairs would have been taken from a few values each.
void QuantileSketch::compact_batch() {
  constexpr std::size_t kEach = std::size_t{1} << kJump;
  std::vector<double>& singles = levels_[0];
  const std::vector<double> rest(singles.end() - static_cast<std::ptrdiff_t>(singles.size() % kEach), singles.end());
  singles.resize(singles.size() - rest.size());
  sort_values(singles, scratch_);
  Coin& coin = coins_[0];
  coin.offset = coin.tosses % 2 == 1 ? kEach - 1 - coin.offset : spread(coin.tosses * kMaxLevels) % kEach;
  ++coin.tosses;
  const std::size_t taken = singles.size() / kEach;
  for (std::size_t i = 0; i < taken; ++i) singles[i] = singles[kEach * i + coin.offset];
  held_ -= singles.size() - taken;
  merge_up(std::span(singles).first(taken), kJump);
  singles.assign(rest.begin(), rest.end());
}

void QuantileSketch::merge_up(std::span<const double> values, std::size_t level) {
  std::vector<double>& into = levels_[level];
  scratch_.resize(into.size() + values.size());
  merge_into(into, values, scratch_.data());
  into.assign(scratch_.begin(), scratch_.end());
}

// All levels but the lowest are ascending.
void QuantileSketch::compact(std::size_t level) {
  if (level == 0 && jumps()) return compact_batch();
  if (level + 1 == levels_.size()) {
    levels_.emplace_back();
    coins_.emplace_back();
    set_limit();
  }
  std::vector<double>& full = levels_[level];
  if (level == 0) sort_values(full, scratch_);
  // Two compactions after each other keep opposite halves, so that their errors cancel.
  Coin& coin = coins_[level];
  coin.offset = coin.tosses % 2 == 1 ? 1 - coin.offset : spread(coin.tosses * kMaxLevels + level) % 2;
  ++coin.tosses;
  const std::size_t pairs = full.size() / 2;
  const bool odd = full.size() % 2 == 1;
  const double last = full.back();
  for (std::size_t i = 0; i < pairs; ++i) full[i] = full[2 * i + coin.offset];
  merge_up(std::span(full).first(pairs), level + 1);
  if (odd) full[0] = last;
  full.resize(odd ? 1 : 0);
  held_ -= pairs;
}

void QuantileSketch::merge(const QuantileSketch& other) {
  if (other.count_ == 0) return;
  if (levels_.empty()) start();
  k_ = std::min(k_, other.k_);
  while (levels_.size() < other.levels_.size()) {
    levels_.emplace_back();
    coins_.emplace_back();
  }
  for (std::size_t level = 0; level < other.levels_.size(); ++level) {
    const std::vector<double>& from = other.levels_[level];
    std::vector<double>& into = levels_[level];
    const auto kept = static_cast<std::ptrdiff_t>(into.size());
    into.insert(into.end(), from.begin(), from.end());
    if (level > 0) std::inplace_merge(into.begin(), into.begin() + kept, into.end());
    held_ += from.size();
  }
  count_ += other.count_;
  set_limit();
  compress();
}

double QuantileSketch::effective_count() const {
  const auto n = static_cast<double>(count_);
  if (exact() || count_ == 0) return n;
  // p(1-p)/n is at most 1/(4n): a standard deviation s of the rank is worth 1/(4 s^2) rows.
  const double error = kRankError / k_;
  return 1 / (1 / n + 4 * error * error);
}

std::vector<Weighted> QuantileSketch::sorted() const {
  std::vector<Weighted> out;
  out.reserve(held_);
  double weight = 1;
  for (const std::vector<double>& level : levels_) {
    for (const double value : level) out.push_back({value, weight});
    weight *= 2;
  }
  std::sort(out.begin(), out.end(), [](const Weighted& a, const Weighted& b) { return a.value < b.value; });
  return out;
}

std::optional<QuantileSketch> QuantileSketch::from_levels(std::uint32_t k, std::vector<std::vector<double>> levels) {
  if (k < kLeastK || k > kMaxK || levels.size() > kMaxLevels) return std::nullopt;
  QuantileSketch out(k);
  out.levels_ = std::move(levels);
  out.coins_.resize(out.levels_.size());
  for (std::size_t level = 0; level < out.levels_.size(); ++level) {
    const std::vector<double>& values = out.levels_[level];
    if (level > 0 && !std::is_sorted(values.begin(), values.end())) return std::nullopt;
    if (!std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); })) return std::nullopt;
    out.held_ += values.size();
    out.count_ += std::uint64_t{values.size()} << level;
  }
  if (out.levels_.empty()) return out;
  out.set_limit();
  if (out.held_ > out.limit_) return std::nullopt;
  return out;
}

double quantile(std::span<const Weighted> sample, double q) {
  double total = 0;
  for (const Weighted& each : sample) total += each.weight;
  double below = 0;
  for (const Weighted& each : sample) {
    below += each.weight;
    if (below >= q * total) return each.value;
  }
  return sample.back().value;
}

double rank(std::span<const Weighted> sample, double value) {
  double total = 0;
  double below = 0;
  for (const Weighted& each : sample) {
    total += each.weight;
    if (each.value <= value) below += each.weight;
  }
  return total > 0 ? below / total : 0;
}

}  // namespace backstay::drift
