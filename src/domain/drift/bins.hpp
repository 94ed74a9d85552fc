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

  Kind kind() const { return kind_; }
  /// Numbers: the inner edges; bin i holds what is at most edges()[i] and above the edge before.
  const std::vector<double>& edges() const { return edges_; }
  /// Categories, ascending; OTHER comes after the last.
  const std::vector<std::uint32_t>& categories() const { return categories_; }
  std::size_t size() const { return (kind_ == Kind::kQuantiles ? edges_.size() : categories_.size()) + 1; }

  std::vector<double> counts(const ColumnProfile& column) const;
  std::size_t bin_of(double number) const;
  std::size_t bin_of(std::uint32_t category) const;
  /// bin_of() each number of a block's column; where there is none the bin means nothing.
  void find(const std::array<double, RowBlock::kRows>& numbers, std::array<std::int64_t, RowBlock::kRows>& bins) const;

 private:
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

/// Whether a column's values are few and come again, rather than quantities or free text.
bool is_categorical(const ColumnProfile& column);

}  // namespace backstay::drift
