#pragma once

#include "tables/parquet_lists.hpp"
#include "tables/table_reader.hpp"

namespace backstay::tables {

/// The rows of a Parquet file. A batch never goes beyond a page of any column, so that texts stay where the page has
/// them. Columns that are nested are there and not looked into, but for lists of numbers when they are asked for.
class ParquetTable : public TableReader {
 public:
  static Result<std::unique_ptr<TableReader>> open(std::unique_ptr<ByteSource> source, const TableOptions& options);

  const std::vector<ColumnInfo>& columns() const override { return infos_; }
  std::optional<std::uint64_t> rows() const override { return layout_.rows; }
  Result<const ColumnBatch*> next() override;

 private:
  ParquetTable(std::unique_ptr<ByteSource> source, const TableOptions& options, ParquetLayout layout);
  Result<void> next_group();

  std::unique_ptr<ByteSource> source_;
  const std::string name_;
  ParquetLayout layout_;  ///< Its columns are those that are read.
  std::vector<ColumnInfo> infos_;
  PageBudget budget_;
  std::vector<std::unique_ptr<ParquetColumn>> readers_;  ///< Null for a nested column.
  std::vector<std::unique_ptr<ParquetLists>> lists_;     ///< Null for what is no list, or not asked for.
  std::size_t group_ = 0;                                ///< The next one.
  std::uint64_t left_ = 0;                               ///< Rows of the one that is read.
  std::size_t most_rows_;
  ColumnBatch batch_;
};

}  // namespace backstay::tables
