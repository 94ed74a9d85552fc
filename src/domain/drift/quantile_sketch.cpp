#include "domain/drift/quantile_sketch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/sort_numbers.hpp"

namespace backstay::drift {

namespace {

constexpr std::size_t kLeastCapacity = 32;
constexpr std::size_t kMaxLevels = 48;
/// Single values are sorted so many at once, and go up so many levels: one of 16 then stands for all of them.
constexpr std::size_t kBatch = 1024;
constexpr std::size_t kMostJump = 4;
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

}  // namespace

// The top level has k places, each below two thirds of that above it.
std::size_t QuantileSketch::capacity(std::size_t level) const {
  if (levels_.size() == 1) return exact_ + 1;
  if (level == 0) return kBatch;
  const double places = std::ceil(k_ * kShrink[std::min(levels_.size() - 1 - level, kMaxLevels - 1)]);
  return std::max(kLeastCapacity, static_cast<std::size_t>(places));
}

std::size_t QuantileSketch::jump() const {
  return std::min(kMostJump, levels_.size() - 1);
}

void QuantileSketch::set_limit() {
  limit_ = 0;
  for (std::size_t level = 0; level < levels_.size(); ++level) limit_ += capacity(level);
}

void QuantileSketch::add(std::span<const double> values) {
  if (levels_.empty()) add_level();
  while (!values.empty()) {
    const std::size_t fits = std::min(values.size(), limit_ - held_);
    levels_[0].insert(levels_[0].end(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(fits));
    values = values.subspan(fits);
    count_singles(fits);
  }
}

void QuantileSketch::add(double value, std::uint64_t times) {
  if (levels_.empty()) add_level();
  while (times > 0) {
    const std::size_t fits = std::min<std::uint64_t>(times, limit_ - held_);
    levels_[0].insert(levels_[0].end(), fits, value);
    times -= fits;
    count_singles(fits);
  }
}

void QuantileSketch::count_singles(std::size_t fits) {
  count_ += fits;
  held_ += fits;
  if (held_ >= limit_) compress();
}

void QuantileSketch::settle() {
  if (!exact()) compact_singles();
}

void QuantileSketch::compress() {
  while (held_ >= limit_) {
    std::size_t level = 0;
    while (level + 1 < levels_.size() && levels_[level].size() < capacity(level)) ++level;
    compact(level);
  }
}

void QuantileSketch::add_level() {
  levels_.emplace_back();
  coins_.emplace_back();
  set_limit();
}

/// As if each level in between had been compacted, with less of an error: among all that is sorted at once every 2^j-th
/// is taken, while pairs of pairs would have been taken from a few values each.
void QuantileSketch::compact_singles() {
  if (levels_.size() == 1) add_level();
  const std::size_t each = std::size_t{1} << jump();
  std::vector<double>& singles = levels_[0];
  const std::vector<double> rest(singles.end() - static_cast<std::ptrdiff_t>(singles.size() % each), singles.end());
  singles.resize(singles.size() - rest.size());
  sort_numbers(singles);
  // Two compactions after each other take from opposite ends, so that their errors cancel.
  Coin& coin = coins_[0];
  coin.offset =
      coin.tosses % 2 == 1 ? each - 1 - std::min(coin.offset, each - 1) : spread(coin.tosses * kMaxLevels) % each;
  ++coin.tosses;
  const std::size_t taken = singles.size() / each;
  for (std::size_t i = 0; i < taken; ++i) singles[i] = singles[each * i + coin.offset];
  held_ -= singles.size() - taken;
  std::vector<double>& above = levels_[jump()];
  above.insert(above.end(), singles.begin(), singles.begin() + static_cast<std::ptrdiff_t>(taken));
  singles.assign(rest.begin(), rest.end());
  if (singles.capacity() > 2 * kBatch) singles.shrink_to_fit();  // It was exact.
}

void QuantileSketch::compact(std::size_t level) {
  if (level == 0) return compact_singles();
  if (level + 1 == levels_.size()) add_level();
  std::vector<double>& full = levels_[level];
  sort_numbers(full);
  Coin& coin = coins_[level];
  coin.offset = coin.tosses % 2 == 1 ? 1 - coin.offset : spread(coin.tosses * kMaxLevels + level) % 2;
  ++coin.tosses;
  const std::size_t pairs = full.size() / 2;
  const bool odd = full.size() % 2 == 1;
  const double last = full.back();
  std::vector<double>& above = levels_[level + 1];
  for (std::size_t i = 0; i < pairs; ++i) above.push_back(full[2 * i + coin.offset]);
  if (odd) full[0] = last;
  full.resize(odd ? 1 : 0);
  held_ -= pairs;
}

void QuantileSketch::merge(const QuantileSketch& other) {
  if (other.count_ == 0) return;
  if (levels_.empty()) add_level();
  k_ = count_ == 0 ? other.k_ : std::min(k_, other.k_);
  exact_ = std::max(exact_, other.exact_);
  while (levels_.size() < other.levels_.size()) {
    levels_.emplace_back();
    coins_.emplace_back();
  }
  for (std::size_t level = 0; level < other.levels_.size(); ++level) {
    const std::vector<double>& from = other.levels_[level];
    levels_[level].insert(levels_[level].end(), from.begin(), from.end());
    held_ += from.size();
  }
  count_ += other.count_;
  set_limit();
  compress();
}

double QuantileSketch::effective_count() const {
  const auto n = static_cast<double>(count_);
  if (exact() || count_ == 0) return n;
  // p(1-p)/n is at most 1/(4n): a standard deviation s of the rank is worth 1/(4 s^2) rows. Ranks that are far from
  // each other err independently, so the greatest of their errors is worth more: three times, by this folder's tests.
  constexpr double kOfTheGreatest = 3;
  const double error = kRankError / k_;
  return 1 / (1 / n + kOfTheGreatest * 4 * error * error);
}

std::vector<Weighted> QuantileSketch::sorted() const {
  std::vector<Weighted> out;
  out.reserve(held_);
  double weight = 1;
  std::vector<double> ascending;
  for (const std::vector<double>& level : levels_) {
    ascending = level;
    sort_numbers(ascending);
    const auto before = static_cast<std::ptrdiff_t>(out.size());
    for (const double value : ascending) out.push_back({value, weight});
    std::inplace_merge(out.begin(), out.begin() + before, out.end(),
                       [](const Weighted& a, const Weighted& b) { return a.value < b.value; });
    weight *= 2;
  }
  return out;
}

std::vector<std::vector<double>> QuantileSketch::levels() const {
  std::vector<std::vector<double>> out = levels_;
  for (std::size_t level = 1; level < out.size(); ++level) sort_numbers(out[level]);
  return out;
}

std::optional<QuantileSketch> QuantileSketch::from_levels(std::uint32_t k, std::vector<std::vector<double>> levels) {
  if (k < kLeastK || k > kMaxK || levels.size() > kMaxLevels) return std::nullopt;
  QuantileSketch out({k, kFine.exact});
  out.levels_ = std::move(levels);
  out.coins_.resize(out.levels_.size());
  for (std::size_t level = 0; level < out.levels_.size(); ++level) {
    std::vector<double>& values = out.levels_[level];
    for (double& value : values) value += 0.0;  // -0 becomes 0.
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
