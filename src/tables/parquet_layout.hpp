#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "tables/column_batch.hpp"
#include "tables/compression.hpp"

namespace backstay::tables {

/// How values lie in pages (parquet.thrift, Type).
enum class ParquetType {
  kBoolean = 0,
  kInt32 = 1,
  kInt64 = 2,
  kInt96 = 3,
  kFloat = 4,
  kDouble = 5,
  kByteArray = 6,
  kFixedBytes = 7
};

/// Where a Parquet file's values are, as its footer says: what parquet_footer.hpp does not keep.
struct ParquetLayout {
  /// What values of a column are turned into on their way out of pages.
  enum class Convert {
    kNone,
    kUnsigned,      ///< Whole numbers of less than 64 bits that have no sign.
    kShortDecimal,  ///< Bytes that are a decimal of at most 18 digits.
    kLongDecimal,
    kUuid,
    kHalf,
    kInt96
  };

  /// Definition levels of a list (parquet-format, Nested Encoding).
  struct ListLevels {
    int there = 0;  ///< From this on the list is there, and
    int item = 0;   ///< from this on it has an item;
    int value = 0;  ///< at this one the item is a value.
    bool operator==(const ListLevels&) const = default;
  };

  /// A field of the schema's first level. One that is nested or repeated, or of a kind that is not read, has no chunk;
  /// of a list of numbers type, convert and width are those of its items.
  struct Column {
    ColumnInfo info;
    ValueForm form;
    ParquetType type = ParquetType::kBoolean;
    Convert convert = Convert::kNone;
    int width = 0;  ///< kFixedBytes: bytes of a value. kUnsigned: bits.
    bool optional = false;
    std::size_t leaf = 0;  ///< Its chunk's index in a row group.
    std::optional<ListLevels> list{};
    bool operator==(const Column&) const = default;
  };
  struct Chunk {
    Codec codec = Codec::kNone;
    bool encrypted = false;
    ParquetType type = ParquetType::kBoolean;
    std::uint64_t values = 0;  ///< Missing ones, too.
    std::uint64_t begin = 0;   ///< First byte in the file, of its dictionary when there is one.
    std::uint64_t end = 0;
  };
  struct RowGroup {
    std::uint64_t rows = 0;
    std::vector<Chunk> chunks;  ///< One per leaf of the schema.
  };
  std::uint64_t rows = 0;
  std::vector<Column> columns;
  std::vector<RowGroup> row_groups;
};

/// `footer`: its bytes, which end before the file's last eight. Refuses what lies outside of the file and row groups
/// that do not fit the schema.
Result<ParquetLayout> parse_parquet_layout(const std::string& name, std::string_view footer, std::uint64_t file_size);

}  // namespace backstay::tables
