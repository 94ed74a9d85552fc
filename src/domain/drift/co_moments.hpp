#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "domain/drift/pair_profile.hpp"

namespace backstay::drift {

/// The pairs of a stream's numeric columns, by their places in the rows. Rows are gathered in blocks; a block's sums
/// are made around its own means, so that large means cost no digits, and then merged. That takes about a nanosecond
/// per pair and row (bench/drift). A column takes part from its first number on; with more than
/// PairProfile::kMaxColumns, later ones do not. The same rows give the same moments. Not thread-safe.
class CoMoments {
 public:
  /// A number of the row that is under way. Each column at most once.
  void put(std::size_t column, double number) {
    if (column >= slots_.size() || slots_[column] == kNoSlot) {
      if (full_ || !give_slot(column)) return;
    }
    Slot& slot = blocks_[slots_[column]];
    slot.values[row_] = number;
    slot.present |= 1ULL << row_;
  }
  void end_row() {
    if (++row_ == kBlock) flush();
  }
  /// `names`: of the columns that are to be told of, by place.
  PairProfile named(const std::map<std::size_t, std::string>& names) const;

 private:
  static constexpr std::size_t kBlock = 64;
  static constexpr std::uint16_t kNoSlot = UINT16_MAX;

  using Column = std::array<double, kBlock>;
  struct Slot {
    std::size_t column = 0;
    std::uint64_t present = 0;
    Column values{};
  };
  /// A column of a block around its mean; 0 where it is missing.
  struct Centred {
    Column values;
    Column present;  ///< 1 or 0.
    std::uint64_t rows = 0;
    double mean = 0;
    double squares = 0;
    double inverse = 0;  ///< 1 / sqrt(squares); not a number when the block's values are all the same.
  };
  bool give_slot(std::size_t column);
  void flush();
  static Centred centred(const Slot& slot);
  PairMoments pair_of(std::size_t x, std::size_t y, const Centred& a, const Centred& b) const;

  std::vector<std::uint16_t> slots_;  ///< By column.
  std::vector<Slot> blocks_;
  std::vector<PairMoments> moments_;  ///< (0,1), (0,2), (1,2), ... of slots.
  std::size_t row_ = 0;
  bool full_ = false;
};

}  // namespace backstay::drift
