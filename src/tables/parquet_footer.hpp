#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace backstay::tables {

/// What the end of a Parquet file says of it. The rows themselves are not read: values are compressed and encoded in
/// many ways, and digests of row groups need only their bytes.
struct ParquetFooter {
  struct Column {
    std::string name;   ///< Path of names, dotted.
    std::string type;   ///< "boolean", "integer", "number", "text" or "other"
    bool plain = true;  ///< Minimum and maximum mean what their bytes say (no dates, decimals, unsigned numbers).
    bool operator==(const Column&) const = default;
  };
  struct ColumnPart {
    std::optional<std::uint64_t> missing;
    std::optional<double> min;
    std::optional<double> max;
  };
  struct RowGroup {
    std::uint64_t rows = 0;
    std::uint64_t begin = 0;  ///< First byte of its pages in the file.
    std::uint64_t end = 0;    ///< After the last.
    std::vector<ColumnPart> columns;
    /// The value that every row of it has in the column that was asked for ("": missing in all); nothing when its
    /// statistics don't say so.
    std::optional<std::string> value;
  };
  std::uint64_t rows = 0;
  std::vector<Column> columns;
  std::vector<RowGroup> row_groups;

  /// As of tables/profile.hpp, with what the footer has: no mean, no distinct values. `group`: of this one only.
  std::string profile(std::optional<std::size_t> group) const;
};

/// The same of row groups that may be of several files with the same columns.
std::string parquet_profile(const std::vector<ParquetFooter::Column>& columns,
                            const std::vector<const ParquetFooter::RowGroup*>& groups);

constexpr std::size_t kParquetTailBytes = 8;

/// How many bytes before the tail the footer takes, from the file's last 8 bytes. kUnsupported for an encrypted one.
Result<std::uint32_t> parquet_footer_size(const std::string& name, std::string_view tail, std::uint64_t file_size);

/// `footer`: those bytes. Refuses offsets outside of the file and groups that overlap. With `column`, a column of texts
/// or whole numbers that is not nested, row groups tell their value in it; kInvalidArgument when there is none of that
/// name, kUnsupported when it is of another kind.
Result<ParquetFooter> parse_parquet_footer(const std::string& name, std::string_view footer, std::uint64_t file_size,
                                           std::string_view column = {});

}  // namespace backstay::tables
