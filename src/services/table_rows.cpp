#include "services/table_rows.hpp"

#include <fmt/format.h>

#include <memory>

#include "services/local_files.hpp"
#include "tables/table_reader.hpp"

namespace backstay::services {

namespace {

/// Text, whose bytes are hashed while they are read.
Result<Digest> read_text_table(const std::filesystem::path& path, tables::Format format, const OnTableRow& on_row) {
  std::unique_ptr<tables::RowReader> reader;
  reader = tables::make_row_reader(format, path.string(), [&](const tables::Row& row) {
    return on_row({reader->columns(), row.cells});
  });
  Sha256 hash;
  TRY_DO(read_file(path, [&](std::span<const std::byte> piece) {
    hash.update(piece);
    return reader->feed(piece);
  }));
  TRY_DO(reader->end_file());
  return hash.finish();
}

Result<Digest> digest_of_file(const std::filesystem::path& path) {
  Sha256 hash;
  TRY_DO(read_file(path, [&](std::span<const std::byte> piece) -> Result<void> {
    hash.update(piece);
    return {};
  }));
  return hash.finish();
}

/// Parquet and Arrow, which are not read in the order of their bytes: hashed before and after, so that the digest is
/// that of what was read.
Result<Digest> read_column_table(const std::filesystem::path& path, const OnTableRow& on_row) {
  TRY(const Digest before, digest_of_file(path));
  std::vector<std::string> columns;
  const auto tell = [&](const std::vector<tables::ColumnInfo>& infos) {
    columns.clear();
    for (const tables::ColumnInfo& info : infos) columns.push_back(info.name);
  };
  const auto take = [&](const tables::Row& row) { return on_row({columns, row.cells}); };
  TRY_DO(tables::read_rows(path, {.on_row = take, .on_columns = tell}, {.name = {}, .lists = true}));
  TRY(const Digest after, digest_of_file(path));
  if (before == after) return before;
  return Unexpected(ErrorCode::kConflict, fmt::format("{} changed while it was read.", path.string()),
                    "Wait until whatever writes it is done, then try again.");
}

}  // namespace

Result<Digest> read_table(const std::filesystem::path& path, const OnTableRow& on_row) {
  const std::string name = path.filename().string();
  if (const auto format = tables::format_of(name)) return read_text_table(path, *format, on_row);
  if (tables::is_table(name)) return read_column_table(path, on_row);
  return Unexpected(ErrorCode::kUnsupported, fmt::format("The rows of {} can't be read.", path.string()),
                    "Use .csv, .tsv, .jsonl, .parquet or .arrow.");
}

}  // namespace backstay::services
