#include "domain/drift/co_moments.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace backstay::drift {

namespace {

using Numbers = std::array<double, RowBlock::kRows>;

// Several numbers at once, as many as the processor takes, and 16 sums side by side: one alone would wait for each
// addition. The sums are the same whichever function makes them, because none fuses multiplication and addition.
constexpr std::size_t kSums = 16;

template <class Lanes>
[[gnu::always_inline]] inline double dot_in(const Numbers& a, const Numbers& b) {
  constexpr std::size_t kLanes = sizeof(Lanes) / sizeof(double);
  Lanes sums[kSums / kLanes] = {};
  for (std::size_t i = 0; i < a.size(); i += kSums) {
    for (std::size_t k = 0; k < kSums / kLanes; ++k) {
      Lanes left, right;
      std::memcpy(&left, &a[i + kLanes * k], sizeof left);
      std::memcpy(&right, &b[i + kLanes * k], sizeof right);
      sums[k] += left * right;
    }
  }
  for (std::size_t half = kSums / kLanes / 2; half > 0; half /= 2)
    for (std::size_t k = 0; k < half; ++k) sums[k] += sums[k + half];
  if constexpr (kLanes == 4) return (sums[0][0] + sums[0][2]) + (sums[0][1] + sums[0][3]);
  return sums[0][0] + sums[0][1];
}

using Two = double __attribute__((vector_size(16)));
double dot_any(const Numbers& a, const Numbers& b) {
  return dot_in<Two>(a, b);
}
using Dot = double (*)(const Numbers&, const Numbers&);
#ifdef __x86_64__
using Four = double __attribute__((vector_size(32)));
[[gnu::target("avx2")]] double dot_avx2(const Numbers& a, const Numbers& b) {
  return dot_in<Four>(a, b);
}
const Dot dot = __builtin_cpu_supports("avx2") ? dot_avx2 : dot_any;
#else
const Dot dot = dot_any;
#endif

Numbers product(const Numbers& a, const Numbers& b) {
  Numbers out;
  for (std::size_t i = 0; i < a.size(); ++i) out[i] = a[i] * b[i];
  return out;
}

/// A block whose correlation tells something counts as one of the pair's blocks.
void set_z(double correlation, PairMoments& block) {
  constexpr std::uint64_t kLeastRows = 32;
  if (block.rows < kLeastRows || !std::isfinite(correlation)) return;
  block.blocks = 1;
  block.weight = static_cast<double>(block.rows - 3);
  block.mean_z = fisher_z(correlation);
}

}  // namespace

void CoMoments::give_slot(std::size_t column) {
  if (slots_.size() <= column) slots_.resize(column + 1, kNoSlot);
  if (slots_[column] != kNoSlot || columns_.size() >= PairProfile::kMaxColumns) return;
  slots_[column] = static_cast<std::uint16_t>(columns_.size());
  moments_.resize(moments_.size() + columns_.size());
  columns_.push_back(column);
}

CoMoments::Centred CoMoments::centred(const RowBlock::Column& column) {
  Centred out;
  out.mask = column.numbers;
  out.rows = static_cast<std::uint64_t>(std::popcount(out.mask));
  if (out.rows == 0) return out;
  for (std::size_t i = 0; i < RowBlock::kRows; ++i) out.present[i] = (out.mask >> i & 1U) != 0 ? 1 : 0;
  const auto n = static_cast<double>(out.rows);
  out.mean = dot(column.values, out.present) / n;
  // What rounding left in the mean, for numbers that are large beside their differences.
  for (std::size_t i = 0; i < RowBlock::kRows; ++i) out.values[i] = (column.values[i] - out.mean) * out.present[i];
  const double rest = dot(out.values, out.present) / n;
  out.mean += rest;
  for (std::size_t i = 0; i < RowBlock::kRows; ++i) out.values[i] -= rest * out.present[i];
  out.squares = dot(out.values, out.values);
  out.inverse =
      varies(out.squares, out.mean, out.rows) ? 1 / std::sqrt(out.squares) : std::numeric_limits<double>::quiet_NaN();
  return out;
}

PairMoments CoMoments::pair_of(const Centred& a, const Centred& b) {
  PairMoments out;
  out.rows = static_cast<std::uint64_t>(std::popcount(a.mask & b.mask));
  if (out.rows == 0) return out;
  out.xy = dot(a.values, b.values);
  out.mean_x = a.mean;
  out.mean_y = b.mean;
  out.xx = a.squares;
  out.yy = b.squares;
  if (a.mask == b.mask) {
    set_z(out.xy * a.inverse * b.inverse, out);
    return out;
  }
  // Only the rows that have both: the sums were around the means of all.
  const auto n = static_cast<double>(out.rows);
  const double sum_x = dot(a.values, b.present);
  const double sum_y = dot(b.values, a.present);
  out.mean_x += sum_x / n;
  out.mean_y += sum_y / n;
  out.xx = std::max(0.0, dot(product(a.values, b.present), a.values) - sum_x * sum_x / n);
  out.yy = std::max(0.0, dot(product(b.values, a.present), b.values) - sum_y * sum_y / n);
  out.xy -= sum_x * sum_y / n;
  set_z(out.correlation(), out);
  return out;
}

void CoMoments::add(const RowBlock& block) {
  for (std::size_t i = 0; i < block.columns().size(); ++i)
    if (block.columns()[i].numbers != 0) give_slot(i);
  std::vector<Centred> columns;
  columns.reserve(columns_.size());
  for (const std::size_t column : columns_)
    columns.push_back(column < block.columns().size() ? centred(block.columns()[column]) : Centred());
  std::size_t next = 0;
  for (std::size_t y = 1; y < columns.size(); ++y)
    for (std::size_t x = 0; x < y; ++x, ++next) moments_[next].merge(pair_of(columns[x], columns[y]));
}

PairProfile CoMoments::named(const std::map<std::size_t, std::string>& names) const {
  PairProfile out;
  std::vector<std::size_t> slots;
  for (std::size_t slot = 0; slot < columns_.size(); ++slot) {
    const auto name = names.find(columns_[slot]);
    if (name == names.end()) continue;
    out.add_column(name->second);
    slots.push_back(slot);
  }
  for (std::size_t y = 1; y < slots.size(); ++y)
    for (std::size_t x = 0; x < y; ++x) out.at(x, y) = moments_[slots[y] * (slots[y] - 1) / 2 + slots[x]];
  return out;
}

}  // namespace backstay::drift
