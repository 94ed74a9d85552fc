#include "tables/parquet_table.hpp"

#include <algorithm>

#include "tables/choose_columns.hpp"
#include "tables/parquet_footer.hpp"

namespace backstay::tables {

Result<std::unique_ptr<TableReader>> ParquetTable::open(std::unique_ptr<ByteSource> source,
                                                        const TableOptions& options) {
  const std::uint64_t size = source->size();
  std::string tail(static_cast<std::size_t>(std::min<std::uint64_t>(size, kParquetTailBytes)), '\0');
  TRY_DO(source->read(size - tail.size(), tail));
  TRY(const std::uint32_t footer_size, parquet_footer_size(options.name, tail, size));
  std::string footer(footer_size, '\0');
  TRY_DO(source->read(size - kParquetTailBytes - footer_size, footer));
  TRY(ParquetLayout layout, parse_parquet_layout(options.name, footer, size));
  std::vector<ColumnInfo> all;
  for (const ParquetLayout::Column& column : layout.columns) all.push_back(column.info);
  TRY(const std::vector<std::size_t> chosen, choose_columns(all, options));
  std::vector<ParquetLayout::Column> columns;
  for (const std::size_t index : chosen) columns.push_back(layout.columns[index]);
  layout.columns = std::move(columns);
  return std::unique_ptr<TableReader>(new ParquetTable(std::move(source), options, std::move(layout)));
}

ParquetTable::ParquetTable(std::unique_ptr<ByteSource> source, const TableOptions& options, ParquetLayout layout)
    : source_(std::move(source)), name_(options.name), layout_(std::move(layout)) {
  most_rows_ = rows_of_a_batch(layout_.columns.size());
  batch_.columns.resize(layout_.columns.size());
  for (const ParquetLayout::Column& column : layout_.columns) {
    infos_.push_back(column.info);
    readers_.push_back(column.info.type == ColumnType::kNested
                           ? nullptr
                           : std::make_unique<ParquetColumn>(*source_, name_, column, budget_));
    lists_.push_back(options.lists && column.list ? std::make_unique<ParquetLists>(*source_, name_, column, budget_)
                                                  : nullptr);
  }
}

Result<void> ParquetTable::next_group() {
  const ParquetLayout::RowGroup& group = layout_.row_groups[group_++];
  left_ = group.rows;
  for (std::size_t i = 0; left_ > 0 && i < readers_.size(); ++i) {
    const ParquetLayout::Chunk& chunk = group.chunks[layout_.columns[i].leaf];
    if (readers_[i]) TRY_DO(readers_[i]->open(chunk));
    if (lists_[i]) TRY_DO(lists_[i]->open(chunk));
  }
  return {};
}

Result<const ColumnBatch*> ParquetTable::next() {
  while (left_ == 0) {
    if (group_ == layout_.row_groups.size()) return nullptr;
    TRY_DO(next_group());
  }
  std::size_t rows = static_cast<std::size_t>(std::min<std::uint64_t>(left_, most_rows_));
  for (const auto& reader : readers_) {
    if (!reader) continue;
    TRY(const std::size_t available, reader->available());
    rows = std::min(rows, available);
  }
  for (const auto& list : lists_) {
    if (!list) continue;
    TRY(const std::size_t available, list->available());
    rows = std::min(rows, available);
  }
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    ColumnValues& values = batch_.columns[i];
    if (readers_[i]) {
      TRY_DO(readers_[i]->read(rows, values));
    } else if (lists_[i]) {
      lists_[i]->read(rows, values);
    } else {
      values.kept = ColumnValues::Kept::kNested;
      values.rows = rows;
    }
  }
  left_ -= rows;
  batch_.rows = rows;
  return &batch_;
}

}  // namespace backstay::tables
