#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "domain/drift/pair_profile.hpp"
#include "domain/drift/row_block.hpp"

namespace backstay::drift {

/// The pairs of a stream's numeric columns, by their places in the rows. A block's sums are made around its own means,
/// so that large means cost no digits, and then merged. That takes about a nanosecond
/// per pair and row (bench/drift). A column takes part from its first number on; with more than
/// PairProfile::kMaxColumns, later ones do not. The same rows give the same moments. Not thread-safe.
class CoMoments {
 public:
  void add(const RowBlock& block);
  /// `names`: of the columns that are to be told of, by place.
  PairProfile named(const std::map<std::size_t, std::string>& names) const;

 private:
  static constexpr std::uint16_t kNoSlot = UINT16_MAX;

  using Column = std::array<double, RowBlock::kRows>;
  /// A column of a block around its mean; 0 where it is missing.
  struct Centred {
    Column values;
    Column present;  ///< 1 or 0.
    std::uint64_t mask = 0;
    std::uint64_t rows = 0;
    double mean = 0;
    double squares = 0;
    double inverse = 0;  ///< 1 / sqrt(squares); not a number when the block's values are all the same.
  };
  void give_slot(std::size_t column);
  static Centred centred(const RowBlock::Column& column);
  static PairMoments pair_of(const Centred& a, const Centred& b);

  std::vector<std::uint16_t> slots_;  ///< By column.
  std::vector<std::size_t> columns_;  ///< By slot.
  std::vector<PairMoments> moments_;  ///< (0,1), (0,2), (1,2), ... of slots.
};

}  // namespace backstay::drift
