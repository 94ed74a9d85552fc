#include "services/table_rows.hpp"

#include <fmt/format.h>

#include <memory>

#include "services/local_files.hpp"

namespace backstay::services {

Result<Digest> read_table(const std::filesystem::path& path, const OnTableRow& on_row) {
  const auto format = tables::format_of(path.filename().string());
  if (!format)
    return Unexpected(ErrorCode::kUnsupported, fmt::format("The rows of {} can't be read.", path.string()),
                      "Use .csv, .tsv or .jsonl.");
  std::unique_ptr<tables::RowReader> reader;
  reader = tables::make_row_reader(*format, path.string(), [&](const tables::Row& row) {
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

}  // namespace backstay::services
