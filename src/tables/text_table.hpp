#pragma once

#include "tables/byte_source.hpp"
#include "tables/table_reader.hpp"

namespace backstay::tables {

/// A text table, read by its RowReader, as batches of cells.
class TextTable : public TableReader {
 public:
  /// Reads the head of a table that has one.
  static Result<std::unique_ptr<TableReader>> open(std::unique_ptr<ByteSource> source, Format format,
                                                   const TableOptions& options);

  const std::vector<ColumnInfo>& columns() const override { return infos_; }
  Result<const ColumnBatch*> next() override;

 private:
  TextTable(std::unique_ptr<ByteSource> source, Format format, TableOptions options);
  /// Feeds the reader.
  Result<void> read_piece();
  Result<void> take(const Row& row);
  Result<void> learn_columns();
  void fill_batch();

  struct Place {
    Cell::Kind kind = Cell::Kind::kMissing;
    std::size_t begin = 0;
    std::size_t size = 0;
    double number = 0;
    std::size_t list = 0;  ///< Where its numbers begin, and
    std::size_t items = 0;
  };

  std::unique_ptr<ByteSource> source_;
  const TableOptions options_;
  const bool grows_;  ///< Columns may come later (JSON Lines).
  std::uint64_t at_ = 0;
  bool ended_ = false;
  std::vector<ColumnInfo> infos_;
  std::vector<std::size_t> chosen_;  ///< Indexes of the reader's columns.
  std::string piece_;
  std::size_t fed_ = 0;  ///< Of the piece.
  std::string texts_;
  std::vector<double> numbers_;      ///< Of lists.
  std::vector<Place> places_;        ///< Of the rows that were read, cells one after the other.
  std::vector<std::size_t> widths_;  ///< How many each row has.
  ColumnBatch batch_;
  std::unique_ptr<RowReader> reader_;  ///< Last: it calls take().
};

}  // namespace backstay::tables
