#pragma once

#include <optional>
#include <span>
#include <vector>

#include "tables/parquet_layout.hpp"
#include "tables/thrift_reader.hpp"

namespace backstay::tables {

/// One element of a Parquet file's flattened schema.
struct ParquetElement {
  enum class Logical {
    kNone,
    kText,
    kDecimal,
    kDate,
    kTime,
    kTimestamp,
    kInteger,
    kUuid,
    kHalf,
    kBytes,
    kNothing,  ///< Always null.
    kOther
  };
  int type = -1;
  int width = 0;
  bool optional = false;
  bool repeated = false;
  std::string name;
  std::int64_t children = 0;
  Logical logical = Logical::kNone;
  int scale = 0;
  int precision = 0;
  int digits = 0;  ///< Of a second: 3, 6, 9.
  bool utc = false;
  int bits = 0;
  bool is_signed = true;
};

ParquetElement read_parquet_element(ThriftReader& in);

/// The column of a leaf on the first level; of what this program can't read it is of type kNested.
ParquetLayout::Column parquet_column(const ParquetElement& element);

/// The column of a field on the first level, which is `field[0]` with what is nested in it after it. One that is a list
/// of numbers, and of nothing else, is of type kNested and has its levels.
ParquetLayout::Column parquet_field(std::span<const ParquetElement> field);

}  // namespace backstay::tables
