#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tables/row_reader.hpp"

namespace backstay::tables {

/// What a column's values are for whoever calculates with them.
enum class ColumnType {
  kBoolean,
  kInteger,  ///< Whole numbers of up to 64 bits.
  kNumber,   ///< Floating point and decimals.
  kText,     ///< Texts; dates, times, timestamps (ISO 8601), UUIDs and bytes as text.
  kNested,   ///< Lists, structs and maps, and what this program can't read: there, not looked into.
  kMixed,    ///< Of a text table: each cell says what it is.
};

const char* to_string(ColumnType type);

struct ColumnInfo {
  std::string name;
  ColumnType type = ColumnType::kMixed;
  std::string stored;  ///< As the file keeps it, for people: "timestamp[us, UTC]"; empty for a text table.
  bool operator==(const ColumnInfo&) const = default;
};

/// How whole numbers or bytes that a column keeps are to be read.
struct ValueForm {
  enum class As { kPlain, kUnsigned, kDate, kTime, kTimestamp, kDecimal, kBytes };
  As as = As::kPlain;
  int scale = 0;     ///< Decimal digits after the point; of times those of a second: 0, 3, 6 or 9.
  bool utc = false;  ///< A timestamp that is an instant, not a wall clock's time.
  bool operator==(const ValueForm&) const = default;
};

/// The values of one column in some rows. Which vector holds them goes by `kept`; a row that is missing has a
/// placeholder in it. Views and spans are valid until the reader's next call.
class ColumnValues {
 public:
  enum class Kept { kIntegers, kDoubles, kTexts, kCells, kNested };

  Kept kept = Kept::kNested;
  ColumnType type = ColumnType::kNested;
  ValueForm form;
  std::size_t rows = 0;
  std::vector<std::uint8_t> present;    ///< 1 or 0 per row; empty: none is missing.
  std::vector<std::int64_t> integers;   ///< kIntegers: whole numbers, booleans, days, ticks, unscaled decimals.
  std::vector<double> doubles;          ///< kDoubles
  std::vector<std::string_view> texts;  ///< kTexts; with kDecimal they are numbers of any length.
  std::vector<Cell> cells;              ///< kCells
  std::vector<double> items;            ///< kNested: of the rows' lists of numbers, when they were asked for, and
  std::vector<std::size_t> ends;        ///< where each row's end.

  /// See Cell::list.
  std::span<const double> list(std::size_t row) const;
  bool missing(std::size_t row) const;
  /// NaN when it is missing or no number; as number_of() of the cell.
  double number(std::size_t row) const;
  /// All of number(), one per row: what calculations over a column should use.
  void numbers(std::vector<double>& out) const;
  /// With its text, which may be kept in `scratch`.
  Cell cell(std::size_t row, std::string& scratch) const;
  /// The value in a row's canonical form (docs/registering.md). Not for kCells and kNested.
  void append_canonical(std::size_t row, std::string& out) const;

 private:
  void append_text(std::size_t row, std::string& out) const;
};

/// Some rows of a table that follow each other, by column, in the order of TableReader::columns().
struct ColumnBatch {
  std::size_t rows = 0;
  std::vector<ColumnValues> columns;
};

}  // namespace backstay::tables
