#pragma once

#include "tables/table_reader.hpp"

namespace backstay::tables {

/// Indexes of the columns that options ask for; all when they ask for none. kInvalidArgument names one that there is
/// not, or that there is twice.
Result<std::vector<std::size_t>> choose_columns(const std::vector<ColumnInfo>& all, const TableOptions& options);

/// How many rows a batch of so many columns may have: its memory stays within some 100 MB.
std::size_t rows_of_a_batch(std::size_t columns);

}  // namespace backstay::tables
