#pragma once

#include "tables/arrow_column.hpp"

namespace backstay::tables {

/// Reads a column of lists of numbers (ArrowLayout::kLists) of one record batch in pieces of some rows. A list that has
/// something missing, or more than kMaxListItems, is empty (see Cell::list); one that is null is missing.
class ArrowLists {
 public:
  /// As ArrowColumn.
  ArrowLists(ByteSource& source, std::string file, const ArrowField& field, const ArrowDictionaries& dictionaries)
      : source_(source),
        file_(std::move(file)),
        field_(field),
        items_(source, file_, field.items.at(0), dictionaries) {}

  /// Goes to a record batch. `buffers`: validity, offsets unless lists are of one size, the items' validity and values.
  Result<void> open(std::uint64_t rows, std::uint64_t missing, std::uint64_t items, std::uint64_t missing_items,
                    const std::vector<ArrowBuffer::Place>& buffers, std::uint64_t& held);
  /// How many of the next `rows` rows can be had at once, at least one. `rows` no more than there are, and not 0.
  Result<std::size_t> available(std::size_t rows);
  /// The next rows, no more than are available.
  Result<void> read(std::size_t rows, ColumnValues& out);

 private:
  /// Where the lists of the next rows begin; the last ends at the one after.
  Result<void> read_offsets(std::size_t rows);
  Unexpected broken(const char* what) const;

  ByteSource& source_;
  const std::string file_;
  const ArrowField field_;
  ArrowColumn items_;
  ArrowBuffer present_;
  ArrowBuffer places_;
  bool has_missing_ = false;
  std::uint64_t at_ = 0;  ///< The next row.
  std::uint64_t item_count_ = 0;
  std::vector<std::int64_t> offsets_;
  ColumnValues numbers_;
  std::vector<double> doubles_;
};

}  // namespace backstay::tables
