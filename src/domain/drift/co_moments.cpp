#include "domain/drift/co_moments.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>

namespace backstay::drift {

namespace {

// Several numbers at once, as many as the processor takes, and 8 sums side by side: one alone would wait for each
// addition. The sums are the same whichever function makes them, because none fuses multiplication and addition
// (CMakeLists.txt).
constexpr std::size_t kSums = 8;
/// So many products with one column are made together: its numbers are fetched once for all of them.
constexpr std::size_t kTogether = 8;
using Sources = std::array<const double*, kTogether>;

/// The sums of one column's products with another, which are added up in the end.
using Sums = std::array<double, kSums>;

/// Adds the products of `a` with the first `count` of kColumns columns to their sums.
template <class Lanes, std::size_t kColumns>
[[gnu::always_inline]] inline void dots_in(const double* a, const double* const* b, std::size_t count, std::size_t size,
                                           Sums* out) {
  constexpr std::size_t kLanes = sizeof(Lanes) / sizeof(double);
  constexpr std::size_t kSets = kSums / kLanes;
  // Loops over columns and sets are written out, so that all sums stay in the processor's registers.
  Lanes sums[kColumns][kSets] = {};
#pragma GCC unroll 8
  for (std::size_t c = 0; c < kColumns; ++c)
    if (c < count) std::memcpy(sums[c], &out[c], sizeof sums[c]);
  for (std::size_t i = 0; i < size; i += kSums) {
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kSets; ++k) {
      Lanes left, right;
      std::memcpy(&left, a + i + kLanes * k, sizeof left);
#pragma GCC unroll 8
      for (std::size_t c = 0; c < kColumns; ++c) {
        std::memcpy(&right, b[c] + i + kLanes * k, sizeof right);
        sums[c][k] += left * right;
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t c = 0; c < kColumns; ++c)
    if (c < count) std::memcpy(&out[c], sums[c], sizeof sums[c]);
}

double total(const Sums& each) {
  return ((each[0] + each[4]) + (each[2] + each[6])) + ((each[1] + each[5]) + (each[3] + each[7]));
}

/// `numbers` less `by`, and 0 where nothing is present.
template <class Lanes>
[[gnu::always_inline]] inline void move_in(double by, const double* present, double* numbers, std::size_t size) {
  for (std::size_t i = 0; i < size; i += sizeof(Lanes) / sizeof(double)) {
    Lanes some, there;
    std::memcpy(&some, numbers + i, sizeof some);
    std::memcpy(&there, present + i, sizeof there);
    some = (some - by) * there;
    std::memcpy(numbers + i, &some, sizeof some);
  }
}

/// Over a multiple of kSums numbers.
struct Functions {
  void (*dot)(const double* a, const double* b, std::size_t size, Sums& out);
  /// `a` with the first `count` columns of `b`, which all are some.
  void (*dots)(const double* a, const Sources& b, std::size_t count, std::size_t size, Sums* out);
  void (*move)(double by, const double* present, double* numbers, std::size_t size);
};

/// Half of them at a time, where more sums than that have no place in the processor.
constexpr std::size_t kHalf = kTogether / 2;

template <class Lanes>
[[gnu::always_inline]] inline void dots_by_halves(const double* a, const Sources& b, std::size_t count,
                                                  std::size_t size, Sums* out) {
  dots_in<Lanes, kHalf>(a, b.data(), std::min(count, kHalf), size, out);
  if (count > kHalf) dots_in<Lanes, kHalf>(a, b.data() + kHalf, count - kHalf, size, out + kHalf);
}

using Two = double __attribute__((vector_size(16)));
void dot_any(const double* a, const double* b, std::size_t size, Sums& out) {
  dots_in<Two, 1>(a, &b, 1, size, &out);
}
void dots_any(const double* a, const Sources& b, std::size_t count, std::size_t size, Sums* out) {
  dots_by_halves<Two>(a, b, count, size, out);
}
void move_any(double by, const double* present, double* numbers, std::size_t size) {
  move_in<Two>(by, present, numbers, size);
}
#ifdef __x86_64__
using Four = double __attribute__((vector_size(32)));
[[gnu::target("avx2")]] void dot_avx2(const double* a, const double* b, std::size_t size, Sums& out) {
  dots_in<Four, 1>(a, &b, 1, size, &out);
}
[[gnu::target("avx2")]] void dots_avx2(const double* a, const Sources& b, std::size_t count, std::size_t size,
                                       Sums* out) {
  dots_by_halves<Four>(a, b, count, size, out);
}
[[gnu::target("avx2")]] void move_avx2(double by, const double* present, double* numbers, std::size_t size) {
  move_in<Four>(by, present, numbers, size);
}
using Eight = double __attribute__((vector_size(64)));
[[gnu::target("avx512f")]] void dots_avx512(const double* a, const Sources& b, std::size_t count, std::size_t size,
                                            Sums* out) {
  if (count > kHalf) {
    dots_in<Eight, kTogether>(a, b.data(), count, size, out);
  } else {
    dots_in<Eight, kHalf>(a, b.data(), count, size, out);
  }
}
#endif
const Functions functions = [] {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) return Functions{dot_avx2, dots_avx512, move_avx2};
  if (__builtin_cpu_supports("avx2")) return Functions{dot_avx2, dots_avx2, move_avx2};
#endif
  return Functions{dot_any, dots_any, move_any};
}();

double dot(const double* a, const double* b, std::size_t size) {
  Sums sums{};
  functions.dot(a, b, size, sums);
  return total(sums);
}

template <class Mask>
std::uint64_t count(const Mask& mask) {
  std::uint64_t out = 0;
  for (const std::uint64_t each : mask) out += static_cast<std::uint64_t>(std::popcount(each));
  return out;
}

/// A piece whose correlation tells something counts as one of the pair's blocks.
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
  gathered_.emplace_back();
}

CoMoments::Centred CoMoments::centre(Gathered& column, std::size_t size, std::deque<Numbers>& partly) {
  static const Numbers kAll = [] {
    Numbers out;
    out.fill(1);
    return out;
  }();
  double* const values = column.values.data();
  Centred out;
  out.values = values;
  out.mask = column.mask;
  out.rows = count(out.mask);
  if (out.rows == 0) {
    std::fill(values, values + size, 0.0);
    return out;
  }
  if (out.rows == size) {
    out.present = kAll.data();
  } else {
    Numbers& present = partly.emplace_back();
    out.present = present.data();
    for (std::size_t block = 0; block < size / RowBlock::kRows; ++block) {
      double* const in_block = &present[block * RowBlock::kRows];
      std::fill(in_block, in_block + RowBlock::kRows, 1.0);
      for_each_row(~out.mask[block], [&](std::size_t row) { in_block[row] = 0; });
    }
  }
  const auto n = static_cast<double>(out.rows);
  out.mean = dot(values, out.present, size) / n;
  functions.move(out.mean, out.present, values, size);
  // What rounding left in the mean, for numbers that are large beside their differences.
  const double rest = dot(values, out.present, size) / n;
  out.mean += rest;
  functions.move(rest, out.present, values, size);
  out.squares = dot(values, values, size);
  out.inverse =
      varies(out.squares, out.mean, out.rows) ? 1 / std::sqrt(out.squares) : std::numeric_limits<double>::quiet_NaN();
  return out;
}

PairMoments CoMoments::pair_of(const Centred& a, const Centred& b, double xy, std::size_t size) {
  PairMoments out;
  if (a.rows == 0 || b.rows == 0) return out;
  const bool same_rows = a.mask == b.mask;
  Mask both = a.mask;
  for (std::size_t i = 0; i < both.size(); ++i) both[i] &= b.mask[i];
  out.rows = same_rows ? a.rows : count(both);
  if (out.rows == 0) return out;
  out.xy = xy;
  out.mean_x = a.mean;
  out.mean_y = b.mean;
  out.xx = a.squares;
  out.yy = b.squares;
  if (same_rows) {
    set_z(out.xy * a.inverse * b.inverse, out);
    return out;
  }
  // Only the rows that have both: the sums were around the means of all.
  const auto n = static_cast<double>(out.rows);
  const double sum_x = dot(a.values, b.present, size);
  const double sum_y = dot(b.values, a.present, size);
  Numbers kept;
  out.mean_x += sum_x / n;
  out.mean_y += sum_y / n;
  for (std::size_t i = 0; i < size; ++i) kept[i] = a.values[i] * b.present[i];
  out.xx = std::max(0.0, dot(kept.data(), a.values, size) - sum_x * sum_x / n);
  for (std::size_t i = 0; i < size; ++i) kept[i] = b.values[i] * a.present[i];
  out.yy = std::max(0.0, dot(kept.data(), b.values, size) - sum_y * sum_y / n);
  out.xy -= sum_x * sum_y / n;
  set_z(out.correlation(), out);
  return out;
}

void CoMoments::add(const RowBlock& block) {
  for (std::size_t i = 0; i < block.columns().size(); ++i)
    if (block.columns()[i].numbers != 0) give_slot(i);
  for (std::size_t slot = 0; slot < columns_.size(); ++slot) {
    if (columns_[slot] >= block.columns().size()) continue;
    const RowBlock::Column& from = block.columns()[columns_[slot]];
    gathered_[slot].mask[gathered_blocks_] = from.numbers;
    std::copy(from.values.begin(), from.values.end(),
              gathered_[slot].values.begin() + static_cast<std::ptrdiff_t>(gathered_blocks_ * RowBlock::kRows));
  }
  ++gathered_blocks_;
  if (gathered_blocks_ == kMostBlocks || pieces_ < kShortPieces) merge_piece();
}

void CoMoments::merge_piece() {
  const std::size_t size = gathered_blocks_ * RowBlock::kRows;
  std::deque<Numbers> partly;
  std::vector<Centred> columns;
  columns.reserve(gathered_.size());
  for (std::size_t slot = 0; slot < gathered_.size(); ++slot) {
    columns.push_back(centre(gathered_[slot], size, partly));
    gathered_[slot].mask.fill(0);
  }
  // Some rows at a time, so that the numbers that all columns have in them stay in the processor's nearest memory.
  constexpr std::size_t kPart = 2 * RowBlock::kRows;
  std::vector<Sums> sums(moments_.size(), Sums{});
  for (std::size_t begin = 0; begin < size; begin += kPart) {
    std::size_t next = 0;
    for (std::size_t y = 1; y < columns.size(); ++y) {
      for (std::size_t x = 0; x < y; x += kTogether) {
        const std::size_t several = std::min(kTogether, y - x);
        Sources with;
        for (std::size_t i = 0; i < kTogether; ++i) with[i] = columns[x + std::min(i, several - 1)].values + begin;
        functions.dots(columns[y].values + begin, with, several, std::min(kPart, size - begin), &sums[next]);
        next += several;
      }
    }
  }
  std::size_t next = 0;
  for (std::size_t y = 1; y < columns.size(); ++y)
    for (std::size_t x = 0; x < y; ++x, ++next)
      moments_[next].merge(pair_of(columns[x], columns[y], total(sums[next]), size));
  gathered_blocks_ = 0;
  ++pieces_;
}

PairProfile CoMoments::named(const std::map<std::size_t, std::string>& names) const {
  if (gathered_blocks_ > 0) {
    CoMoments all = *this;
    all.merge_piece();
    return all.named(names);
  }
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
