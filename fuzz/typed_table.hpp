#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "fuzz/check.hpp"
#include "tables/table_reader.hpp"

namespace backstay::fuzz {

/// Reads a table and checks what its values promise. A few bytes can stand for any number of rows that are missing:
/// the first ones are enough.
inline void read_all(tables::TableReader& table) {
  constexpr std::size_t kRows = 20'000;
  constexpr std::size_t kCells = 200'000;
  std::size_t rows = 0;
  std::size_t cells = 0;
  std::string scratch;
  std::string canonical;
  std::vector<double> numbers;
  while (rows < kRows && cells < kCells) {
    const auto batch = table.next();
    if (!batch) {
      CHECK(!batch.error().message.empty() && !batch.error().hint.empty());
      return;
    }
    if (*batch == nullptr) {
      CHECK(!table.rows() || *table.rows() == rows);
      return;
    }
    CHECK((*batch)->rows > 0 && (*batch)->columns.size() == table.columns().size());
    rows += (*batch)->rows;
    for (const tables::ColumnValues& column : (*batch)->columns) {
      CHECK(column.rows == (*batch)->rows);
      if (column.kept == tables::ColumnValues::Kept::kNested) {
        CHECK(column.ends.empty() || column.ends.size() == column.rows);
        std::size_t items = 0;
        for (std::size_t row = 0; row < column.rows && cells < kCells; ++row, ++cells) {
          const tables::Cell cell = column.cell(row, scratch);
          CHECK(cell.list.size() <= tables::kMaxListItems && (cell.list.empty() || !column.missing(row)));
          for (const double item : cell.list) CHECK(item == column.items[items++] || std::isnan(item));
        }
        continue;
      }
      column.numbers(numbers);
      CHECK(numbers.size() == column.rows);
      for (std::size_t row = 0; row < column.rows && cells < kCells; ++row, ++cells) {
        const tables::Cell cell = column.cell(row, scratch);
        CHECK((cell.kind == tables::Cell::Kind::kMissing) == column.missing(row));
        CHECK(is_utf8(cell.text));
        const double number = column.number(row);
        CHECK(std::isnan(number) ? std::isnan(numbers[row]) : number == numbers[row]);
        canonical.clear();
        column.append_canonical(row, canonical);
        CHECK(!canonical.empty() && is_utf8(canonical) && canonical.find('\n') == std::string::npos);
      }
    }
  }
}

}  // namespace backstay::fuzz
