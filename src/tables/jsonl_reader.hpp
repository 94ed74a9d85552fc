#pragma once

#include <cstdint>
#include <map>

#include "tables/row_reader.hpp"

namespace backstay::tables {

/// JSON Lines; see RowReader. Columns are the keys of the objects in the order in which they are first seen, at most
/// 1024; values inside of others are not looked at. Of a key that is there twice the last value counts.
class JsonlReader : public RowReader {
 public:
  JsonlReader(std::string name, OnRow on_row) : name_(std::move(name)), on_row_(std::move(on_row)) {}
  Result<void> feed(std::span<const std::byte> bytes) override;
  Result<void> end_file() override;
  const std::vector<std::string>& columns() const override { return columns_; }
  std::string_view canonical_head() const override { return {}; }

 private:
  Result<void> take_line();

  const std::string name_;
  const OnRow on_row_;
  std::uint64_t line_ = 1;
  std::string text_;
  std::vector<std::string> texts_;
  std::vector<Cell> cells_;
  std::vector<std::vector<double>> lists_;  ///< By column.
  std::vector<std::string> columns_;
  std::map<std::string, std::size_t, std::less<>> indexes_;
};

}  // namespace backstay::tables
