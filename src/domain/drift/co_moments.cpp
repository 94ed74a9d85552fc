#include "domain/drift/co_moments.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace backstay::drift {

namespace {

// Two numbers at once, and four sums side by side: one alone would wait for each addition.
using Two = double __attribute__((vector_size(16)));
constexpr std::size_t kSums = 4;
constexpr std::size_t kStep = 2 * kSums;

Two two_of(const double* from) {
  Two out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}

/// Sum of term(i) for i in steps of two; the term is of two numbers.
template <std::size_t kSize, class Term>
double sum_of(Term term) {
  static_assert(kSize % kStep == 0);
  Two sums[kSums] = {};
  for (std::size_t i = 0; i < kSize; i += kStep)
    for (std::size_t k = 0; k < kSums; ++k) sums[k] += term(i + 2 * k);
  const Two out = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  return out[0] + out[1];
}

template <std::size_t kSize>
double dot(const std::array<double, kSize>& a, const std::array<double, kSize>& b) {
  return sum_of<kSize>([&](std::size_t i) { return two_of(&a[i]) * two_of(&b[i]); });
}

/// Sum of values^2 where `mask` is 1.
template <std::size_t kSize>
double squares(const std::array<double, kSize>& values, const std::array<double, kSize>& mask) {
  return sum_of<kSize>([&](std::size_t i) { return two_of(&values[i]) * two_of(&values[i]) * two_of(&mask[i]); });
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

bool CoMoments::give_slot(std::size_t column) {
  if (blocks_.size() >= PairProfile::kMaxColumns) {
    full_ = true;
    return false;
  }
  if (slots_.size() <= column) slots_.resize(column + 1, kNoSlot);
  slots_[column] = static_cast<std::uint16_t>(blocks_.size());
  moments_.resize(moments_.size() + blocks_.size());
  blocks_.emplace_back().column = column;
  return true;
}

CoMoments::Centred CoMoments::centred(const Slot& slot) {
  Centred out;
  out.rows = static_cast<std::uint64_t>(std::popcount(slot.present));
  if (out.rows == 0) return out;
  for (std::size_t i = 0; i < kBlock; ++i) out.present[i] = (slot.present >> i & 1U) != 0 ? 1 : 0;
  const auto n = static_cast<double>(out.rows);
  const auto is_there = [&](std::size_t i) { return out.present[i] != 0; };
  double sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) sum += is_there(i) ? slot.values[i] : 0;
  out.mean = sum / n;
  // What rounding left in the mean, for numbers that are large beside their differences.
  double rest = 0;
  for (std::size_t i = 0; i < kBlock; ++i) rest += is_there(i) ? slot.values[i] - out.mean : 0;
  out.mean += rest / n;
  for (std::size_t i = 0; i < kBlock; ++i) out.values[i] = is_there(i) ? slot.values[i] - out.mean : 0;
  out.squares = dot(out.values, out.values);
  out.inverse =
      varies(out.squares, out.mean, out.rows) ? 1 / std::sqrt(out.squares) : std::numeric_limits<double>::quiet_NaN();
  return out;
}

PairMoments CoMoments::pair_of(std::size_t x, std::size_t y, const Centred& a, const Centred& b) const {
  PairMoments out;
  const std::uint64_t both = blocks_[x].present & blocks_[y].present;
  out.rows = static_cast<std::uint64_t>(std::popcount(both));
  if (out.rows == 0) return out;
  out.xy = dot(a.values, b.values);
  out.mean_x = a.mean;
  out.mean_y = b.mean;
  out.xx = a.squares;
  out.yy = b.squares;
  if (blocks_[x].present == blocks_[y].present) {
    set_z(out.xy * a.inverse * b.inverse, out);
    return out;
  }
  // Only the rows that have both: the sums were around the means of all.
  const auto n = static_cast<double>(out.rows);
  const double sum_x = dot(a.values, b.present);
  const double sum_y = dot(b.values, a.present);
  out.mean_x += sum_x / n;
  out.mean_y += sum_y / n;
  out.xx = std::max(0.0, squares(a.values, b.present) - sum_x * sum_x / n);
  out.yy = std::max(0.0, squares(b.values, a.present) - sum_y * sum_y / n);
  out.xy -= sum_x * sum_y / n;
  set_z(out.correlation(), out);
  return out;
}

void CoMoments::flush() {
  std::vector<Centred> columns;
  columns.reserve(blocks_.size());
  for (const Slot& slot : blocks_) columns.push_back(centred(slot));
  std::size_t next = 0;
  for (std::size_t y = 1; y < columns.size(); ++y) {
    for (std::size_t x = 0; x < y; ++x, ++next) {
      const PairMoments block = pair_of(x, y, columns[x], columns[y]);
      moments_[next].merge(block);
    }
  }
  for (Slot& slot : blocks_) slot.present = 0;
  row_ = 0;
}

PairProfile CoMoments::named(const std::map<std::size_t, std::string>& names) const {
  CoMoments rest = *this;
  if (rest.row_ > 0) rest.flush();
  PairProfile out;
  std::vector<std::size_t> slots;
  for (std::size_t slot = 0; slot < rest.blocks_.size(); ++slot) {
    const auto name = names.find(rest.blocks_[slot].column);
    if (name == names.end()) continue;
    out.add_column(name->second);
    slots.push_back(slot);
  }
  for (std::size_t y = 1; y < slots.size(); ++y)
    for (std::size_t x = 0; x < y; ++x) out.at(x, y) = rest.moments_[slots[y] * (slots[y] - 1) / 2 + slots[x]];
  return out;
}

}  // namespace backstay::drift
