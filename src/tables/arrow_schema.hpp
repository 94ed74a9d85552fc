#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "tables/column_batch.hpp"
#include "tables/flatbuffer.hpp"

namespace backstay::tables {

/// How a column's values lie in the buffers of an Arrow record batch (arrow/format/Columnar.rst).
enum class ArrowLayout {
  kNone,  ///< Not read.
  kNull,
  kBits,
  kIntegers,  ///< Of `bytes` bytes.
  kFloats,    ///< Of 2, 4 or 8 bytes.
  kDecimals,  ///< Of 4, 8, 16 or 32 bytes.
  kFixedBytes,
  kTexts,  ///< With offsets of `bytes` bytes.
  kLists,  ///< Of numbers: with offsets of `bytes` bytes, or, when `bytes` is 0, of `list_size` items each.
  kViews
};

struct ArrowField {
  ColumnInfo info;
  ArrowLayout layout = ArrowLayout::kNone;
  ValueForm form;
  int bytes = 0;
  bool is_signed = true;
  bool uuid = false;
  bool long_decimal = false;  ///< More than 18 digits: kept as text.
  bool milliseconds = false;  ///< A date in milliseconds instead of days.
  /// What it takes of a record batch, with all that is nested in it.
  std::size_t nodes = 1;
  std::size_t buffers = 0;
  std::size_t views = 0;  ///< Fields that have more buffers, as many as the batch says.
  /// Its values are indexes into this dictionary; layout and form are those of the dictionary's values.
  std::optional<std::int64_t> dictionary;
  std::int64_t list_size = 0;
  std::vector<ArrowField> items;  ///< kLists: one, the items' own.
  int index_bytes = 0;
  bool index_signed = true;
};

/// Reads a Schema (arrow/format/Schema.fbs). kUnsupported for another byte order or an old version.
Result<std::vector<ArrowField>> read_arrow_schema(const std::string& name, const FlatTable& schema, const bool& ok,
                                                  int version);

}  // namespace backstay::tables
