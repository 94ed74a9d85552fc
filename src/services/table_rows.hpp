#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "tables/row_reader.hpp"

namespace backstay::services {

struct TableRow {
  const std::vector<std::string>& columns;
  std::span<const tables::Cell> cells;  ///< By column; fewer than columns when the rest is missing.
};
using OnTableRow = std::function<Result<void>(const TableRow&)>;

/// The rows of a file, lists of numbers among their cells, in order, whatever its format is (by the ending of its
/// name): the one place that knows formats. The cells are valid during the call only. Gives the SHA-256 of the file's
/// bytes.
Result<Digest> read_table(const std::filesystem::path& path, const OnTableRow& on_row);

}  // namespace backstay::services
