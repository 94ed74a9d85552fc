#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::drift {

/// How two columns of numbers go together, over the rows that have both. Merges exactly: Chan, Golub, LeVeque,
/// "Updating formulae and a pairwise algorithm for computing sample variances" (1979), for co-moments Pebay (2008). A
/// plain value; not finite where the numbers' squares are not.
struct PairMoments {
  std::uint64_t rows = 0;
  double mean_x = 0, mean_y = 0;
  double xx = 0, yy = 0, xy = 0;  ///< Sums of (products of) deviations from the means.

  /// How much the correlation differs from block to block of rows: Fisher's z of each, weighted by its rows less 3. For
  /// independent rows of a normal distribution spread / (blocks - 1) is 1 on average; heavy tails, and rows that depend
  /// on those before them, make it more.
  std::uint64_t blocks = 0;
  double weight = 0;
  double mean_z = 0;
  double spread = 0;  ///< Sum of weight times squared deviations from mean_z.

  void merge(const PairMoments& other);
  /// Pearson's; not a number when a column is constant, or there are no rows.
  double correlation() const;
  bool finite() const;
  /// Whether the moments can be those of rows. Of numbers so small that their squares are rounded to nothing they
  /// can't.
  bool possible() const;
  bool operator==(const PairMoments&) const = default;
};

/// Whether squared deviations are more than what rounding leaves of a constant column's mean, and not too small to be
/// told.
bool varies(double squares, double mean, std::uint64_t rows);

/// Fisher's z, artanh(r), finite also where rounding made a correlation 1.
double fisher_z(double correlation);

/// The pairs among a profile's numeric columns: of at most kMaxColumns, those whose numbers came first. A plain value.
class PairProfile {
 public:
  static constexpr std::size_t kMaxColumns = 32;

  const std::vector<std::string>& columns() const { return columns_; }
  /// `x` and `y` are places in columns(), x < y.
  PairMoments& at(std::size_t x, std::size_t y) { return moments_[y * (y - 1) / 2 + x]; }
  const PairMoments& at(std::size_t x, std::size_t y) const { return moments_[y * (y - 1) / 2 + x]; }
  /// Of two columns in any order, with the first as x; no rows when it is not known.
  PairMoments find(std::string_view x, std::string_view y) const;

  /// The place of the new column; it must not be there, and there must be room.
  std::size_t add_column(std::string name);
  /// Columns beyond kMaxColumns are left out.
  void merge(const PairProfile& other);

 private:
  std::size_t place_of(std::string_view name) const;
  std::vector<std::string> columns_;
  std::vector<PairMoments> moments_;  ///< (0,1), (0,2), (1,2), (0,3), ...
};

}  // namespace backstay::drift
