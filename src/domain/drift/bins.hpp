#pragma once

#include <vector>

#include "domain/drift/column_profile.hpp"

namespace backstay::drift {

/// Bins that are frozen from the training profile of a column; counts over the same bins can be compared and add up.
/// Numbers have one bin per tenth of the training rows (fewer when values repeat), columns of few values one per value,
/// and all have OTHER: rare, unseen, or of another kind.
class Bins {
 public:
  enum class Kind { kNone, kQuantiles, kCategories };

  /// kNone when the training profile knows no distribution (only missing values, or a profile without sketches).
  explicit Bins(const ColumnProfile& training);
  /// For a test of the two. Which categories are told apart must not depend on one side more than on the other: those
  /// that are most frequent in training would else be less so in any other rows. So it is their sum that decides, and
  /// it must be so large that training's profile tells them.
  Bins(const ColumnProfile& training, const ColumnProfile& live);
  /// All categories that the profile tells; OTHER is what it tells not.
  static Bins of_told(const ColumnProfile& training);

  Kind kind() const { return kind_; }
  /// Numbers: the inner edges; bin i holds what is at most edges()[i] and above the edge before.
  const std::vector<double>& edges() const { return edges_; }
  /// Categories, ascending; OTHER comes after the last.
  const std::vector<std::uint32_t>& categories() const { return categories_; }
  std::size_t size() const { return (kind_ == Kind::kQuantiles ? edges_.size() : categories_.size()) + 1; }

  /// What is certain; of categories OTHER has also what a profile does not tell.
  std::vector<double> counts(const ColumnProfile& column) const;
  /// How many of OTHER may belong to each bin, at most: a stored profile of some rows does not tell the categories that
  /// fewer than kLeastShared of them share, and merged it does not tell them of any of its parts. The last is the most
  /// that OTHER may lose to all of them.
  std::vector<double> slack(const ColumnProfile& column) const;
  /// Counts that are as much like `like` (over the same bins) as what is known of the column allows: what a profile
  /// does not tell is no difference. The same as counts() where it tells everything.
  std::vector<double> counts_like(const ColumnProfile& column, const std::vector<double>& like) const;
  std::size_t bin_of(double number) const;
  std::size_t bin_of(std::uint32_t category) const;
  /// bin_of() each number of a block's column; where there is none the bin means nothing.
  void find(const std::array<double, RowBlock::kRows>& numbers, std::array<std::int64_t, RowBlock::kRows>& bins) const;

 private:
  Bins() = default;
  void cut_into_tenths(const ColumnProfile& training);
  Kind kind_ = Kind::kNone;
  std::vector<double> edges_;
  std::vector<std::uint32_t> categories_;
};

/// At most this many different numbers: a column of classes, not of quantities.
constexpr std::size_t kMaxClasses = 10;
/// Texts are categories when the values that at least kLeastShared rows share make up this part of them.
constexpr double kCategorical = 0.5;
/// More categories than this are OTHER, the rarest first.
constexpr std::size_t kMaxCategories = 50;
/// The same where two profiles are tested.
constexpr std::size_t kMaxCompared = 256;

/// Whether a column's values are few and come again, rather than quantities or free text.
bool is_categorical(const ColumnProfile& column);

/// Whether numbers that were few in training are so many in the live rows that their profile does not count them one by
/// one: then both are compared by their quantiles.
bool are_quantities(const ColumnProfile& training, const ColumnProfile& live);

}  // namespace backstay::drift
