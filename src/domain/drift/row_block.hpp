#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::drift {

/// One value of a row; `text` and `vector` are valid during the call only.
struct Value {
  enum class Kind : std::uint8_t { kMissing, kNumber, kBoolean, kText, kNested };
  Kind kind = Kind::kMissing;
  bool integer = false;  ///< kNumber: written without a point.
  double number = 0;     ///< Finite; kBoolean: 0 or 1.
  std::string_view text{};
  std::span<const double> vector{};  ///< kNested: the numbers of a list that has nothing else.
};

/// Some rows, column by column, so that what looks at a column does so for all of them at once. It holds copies of
/// texts and lists. A plain value. Not thread-safe.
class RowBlock {
 public:
  static constexpr std::size_t kRows = 64;

  /// Bit i of a mask is row i; a row that is in none is missing.
  struct Column {
    std::uint64_t numbers = 0;
    std::uint64_t integers = 0;  ///< Of the numbers, those written without a point.
    std::uint64_t booleans = 0;
    std::uint64_t texts = 0;
    std::uint64_t nested = 0;
    std::array<double, kRows> values{};          ///< Where it is a number, never -0, or a boolean, 0 or 1.
    std::array<std::uint64_t, kRows> hashes{};   ///< Where it is a text or a boolean (value_hash.hpp).
    std::array<std::uint32_t, kRows> begins{};   ///< Where it is a text or nested: its place and size ...
    std::array<std::uint32_t, kRows> lengths{};  ///< ... for text_at() and vector_at().
    /// Where it is a text: a row that has the same one, itself or one before. Texts that come often have the same.
    std::array<std::uint8_t, kRows> same{};

   private:
    friend class RowBlock;
    /// By some bits of a text's hash: a row that has it, and one more; 0: none.
    std::array<std::uint8_t, 64> seen{};
  };

  /// Columns from max_columns on are left out.
  explicit RowBlock(std::size_t max_columns) : max_columns_(max_columns) {}

  /// A row is the values that are put until end_row(), each place at most once. `ahead`: of a row after that one, for
  /// who has several column by column; there must be room for it.
  void put_number(std::size_t column, double number, bool integer, std::size_t ahead = 0) {
    if (column >= columns_.size() && !widen(column)) return;
    Column& into = columns_[column];
    into.values[rows_ + ahead] = number + 0.0;  // -0 becomes 0.
    into.numbers |= bit(ahead);
    if (integer) into.integers |= bit(ahead);
  }
  void put_boolean(std::size_t column, bool value, std::size_t ahead = 0);
  void put_text(std::size_t column, std::string_view utf8, std::size_t ahead = 0);
  void put_nested(std::size_t column, std::span<const double> vector, std::size_t ahead = 0);
  void put(std::size_t column, const Value& value, std::size_t ahead = 0);
  /// Of the next rows; those that are not finite are missing.
  void put_numbers(std::size_t column, std::span<const double> numbers, bool integers);
  void end_row() { ++rows_; }
  void end_rows(std::size_t rows) { rows_ += rows; }
  std::size_t room() const { return kRows - rows_; }
  void add(std::span<const Value> row);

  /// Time to take the rows and clear(): another one need not fit.
  bool full() const { return rows_ == kRows || texts_.size() + sizeof(double) * vectors_.size() >= kMaxBytes; }
  void clear();

  std::size_t rows() const { return rows_; }
  /// The mask that has each of them.
  std::uint64_t all_rows() const { return first_rows(rows_); }
  /// As many as any row had since this was made.
  std::span<const Column> columns() const { return columns_; }
  std::string_view text_at(const Column& column, std::size_t row) const {
    return std::string_view(texts_).substr(column.begins[row], column.lengths[row]);
  }
  std::span<const double> vector_at(const Column& column, std::size_t row) const {
    return std::span(vectors_).subspan(column.begins[row], column.lengths[row]);
  }

 private:
  static constexpr std::size_t kMaxBytes = 1 << 20;
  static std::uint64_t first_rows(std::size_t count) { return count == kRows ? ~0ULL : (1ULL << count) - 1; }
  std::uint64_t bit(std::size_t ahead) const { return 1ULL << (rows_ + ahead); }
  bool widen(std::size_t column);
  Column* column_for(std::size_t column) {
    return column < columns_.size() || widen(column) ? &columns_[column] : nullptr;
  }

  std::size_t max_columns_;
  std::size_t rows_ = 0;
  std::vector<Column> columns_;
  std::string texts_;
  std::vector<double> vectors_;
};

/// Calls `use(row)` for every bit of a mask, from the lowest on.
template <class Use>
void for_each_row(std::uint64_t mask, Use use) {
  for (; mask != 0; mask &= mask - 1) use(static_cast<std::size_t>(std::countr_zero(mask)));
}

}  // namespace backstay::drift
