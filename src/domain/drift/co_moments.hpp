#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "domain/drift/pair_profile.hpp"
#include "domain/drift/row_block.hpp"

namespace backstay::drift {

/// The pairs of a stream's numeric columns, by their places in the rows. A few blocks of rows at a time are a piece,
/// whose sums are made around its own means, so that large means cost no digits, and then merged. That takes about half
/// a nanosecond per pair and row (bench/drift). A column takes part from its first number on; with more than
/// PairProfile::kMaxColumns, later ones do not. The same blocks give the same moments. Up to 70 KiB. Not thread-safe.
class CoMoments {
 public:
  void add(const RowBlock& block);
  /// `names`: of the columns that are to be told of, by place.
  PairProfile named(const std::map<std::size_t, std::string>& names) const;

 private:
  static constexpr std::uint16_t kNoSlot = UINT16_MAX;
  static constexpr std::size_t kMostBlocks = 4;
  /// Pieces are of one block until there were so many: that many correlations tell how much they differ by themselves
  /// (PairMoments::blocks). Longer ones after that cost a quarter.
  static constexpr std::uint64_t kShortPieces = 64;

  using Numbers = std::array<double, kMostBlocks * RowBlock::kRows>;
  using Mask = std::array<std::uint64_t, kMostBlocks>;
  /// A column of the piece that is being gathered. What the mask leaves out is any finite number.
  struct Gathered {
    Numbers values{};
    Mask mask{};
  };
  /// A column of a piece around its mean; 0 where it is missing. Numbers are where they were gathered.
  struct Centred {
    const double* values = nullptr;
    const double* present = nullptr;  ///< 1 or 0.
    Mask mask{};
    std::uint64_t rows = 0;
    double mean = 0;
    double squares = 0;
    double inverse = 0;  ///< 1 / sqrt(squares); not a number when the piece's values are all the same.
  };
  void give_slot(std::size_t column);
  void merge_piece();
  /// Puts the column around its mean. What it is present in is kept in `partly`, unless that is all rows.
  static Centred centre(Gathered& column, std::size_t size, std::deque<Numbers>& partly);
  /// `xy`: the sum of the products of their values.
  static PairMoments pair_of(const Centred& a, const Centred& b, double xy, std::size_t size);

  std::vector<std::uint16_t> slots_;  ///< By column.
  std::vector<std::size_t> columns_;  ///< By slot.
  std::vector<PairMoments> moments_;  ///< (0,1), (0,2), (1,2), ... of slots.
  std::vector<Gathered> gathered_;    ///< By slot.
  std::size_t gathered_blocks_ = 0;
  std::uint64_t pieces_ = 0;
};

}  // namespace backstay::drift
