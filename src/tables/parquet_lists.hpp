#pragma once

#include "tables/parquet_column.hpp"

namespace backstay::tables {

/// Reads a column whose rows are lists of numbers. A list that has something missing, or more than kMaxListItems, is
/// empty (see Cell::list); one that is null is missing.
class ParquetLists {
 public:
  /// As ParquetColumn.
  ParquetLists(ByteSource& source, std::string file, const ParquetLayout::Column& column, PageBudget& budget)
      : file_(std::move(file)), column_(column), entries_(source, file_, column, budget) {}

  /// Goes to the begin of a row group's chunk. One that can't be read (encrypted, an unknown codec) is not looked into:
  /// its rows are nested values without lists.
  Result<void> open(const ParquetLayout::Chunk& chunk);
  /// How many rows can be had at once, at least one; only while the chunk has rows.
  Result<std::size_t> available();
  /// The next `rows` rows, no more than are available.
  void read(std::size_t rows, ColumnValues& out);

 private:
  Result<void> take_entries();
  void close_row();
  Unexpected broken(const char* what) const;

  const std::string file_;
  const ParquetLayout::Column column_;
  ParquetColumn entries_;
  bool looks_ = false;
  std::uint64_t left_ = 0;  ///< Entries of the chunk.
  std::vector<std::uint8_t> repeats_;
  std::vector<std::uint8_t> levels_;
  std::vector<double> numbers_;

  std::vector<double> items_;  ///< Of the rows that are complete, then of the one that is open.
  std::vector<std::size_t> ends_;
  std::vector<std::uint8_t> present_;
  bool open_ = false;        ///< A row was begun ...
  bool open_there_ = false;  ///< ... that is not null ...
  bool open_sound_ = false;  ///< ... and has numbers only, not too many.
  bool open_has_items_ = false;
};

}  // namespace backstay::tables
