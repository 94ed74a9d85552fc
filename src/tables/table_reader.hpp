#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "tables/column_batch.hpp"

/// One door to the rows of every kind of table: CSV, TSV, JSON Lines, Parquet, Arrow IPC (file and stream, Feather 2).
namespace backstay::tables {

struct TableOptions {
  /// What errors call the file; its path when empty.
  std::string name;
  /// Only these columns, in this order; all when empty. kInvalidArgument names one that is not there. Those of a
  /// Parquet or Arrow file that are not asked for are not decoded.
  std::vector<std::string> columns{};
  /// Told how many bytes of the file were read, each time some are: for showing how far it is.
  std::function<void(std::uint64_t)> on_bytes{};
  /// Of a Parquet or Arrow file: columns that are lists of numbers are decoded, too (Cell::list). Those of JSON Lines
  /// always are.
  bool lists = false;
};

/// Reads a table from its begin to its end, once, in memory that a few thousand rows take; docs/registering.md has the
/// limits. Every byte is hostile: what is wrong is an error that names file and column or line, and no announced size
/// is believed before that many bytes are there. Not thread-safe.
class TableReader {
 public:
  virtual ~TableReader() = default;
  /// In the file's order. Of JSON Lines they are those seen so far: they may grow with each batch, at the end.
  virtual const std::vector<ColumnInfo>& columns() const = 0;
  /// How many there are, when the file says so before they are read.
  virtual std::optional<std::uint64_t> rows() const { return std::nullopt; }
  /// The next rows, at least one and at most some thousands; null at the end. Valid until the next call.
  virtual Result<const ColumnBatch*> next() = 0;
};

/// What kind of table it is goes by the file's first bytes, then by the ending of its name. kNotFound, and kUnsupported
/// for what is none of them or can't be read (encrypted, an unknown codec), with what to do.
Result<std::unique_ptr<TableReader>> open_table(const std::filesystem::path& path, TableOptions options = {});

enum class TableKind { kCsv, kTsv, kJsonl, kParquet, kArrow };

/// By the ending of a file's name; nothing when open_table() has no reader for such a file.
std::optional<TableKind> table_kind(std::string_view file_name);

/// Whether open_table() has a reader for a file with such a name.
bool is_table(std::string_view file_name);

/// Who is told of a table's rows.
struct RowConsumer {
  /// Row::canonical is left empty.
  OnRow on_row;
  /// Rows of a table that is kept by column (Parquet, Arrow) come here when there is one: no text is made of numbers.
  std::function<Result<void>(const ColumnBatch&)> on_batch{};
  /// The columns, before the first row and whenever there are more.
  std::function<void(const std::vector<ColumnInfo>&)> on_columns{};
};
Result<void> read_rows(const std::filesystem::path& path, const RowConsumer& consumer, TableOptions options = {});

}  // namespace backstay::tables
