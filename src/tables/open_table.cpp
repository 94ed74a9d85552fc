#include <fmt/format.h>

#include <algorithm>

#include "tables/arrow_table.hpp"
#include "tables/parquet_table.hpp"
#include "tables/table_reader.hpp"
#include "tables/text_table.hpp"

namespace backstay::tables {

namespace {

constexpr const char* kBinaryBegins[] = {"PAR1", "PARE", "ARROW1", "FEA1"};
constexpr std::size_t kTextPieceBytes = 256 * 1024;

}  // namespace

std::optional<TableKind> table_kind(std::string_view name) {
  if (const auto format = format_of(name))
    return *format == Format::kCsv ? TableKind::kCsv : *format == Format::kTsv ? TableKind::kTsv : TableKind::kJsonl;
  if (name.ends_with(".parquet")) return TableKind::kParquet;
  for (const char* ending : {".arrow", ".arrows", ".feather", ".ipc"})
    if (name.ends_with(ending)) return TableKind::kArrow;
  return std::nullopt;
}

bool is_table(std::string_view name) {
  return table_kind(name).has_value();
}

namespace {

struct Opened {
  std::unique_ptr<ByteSource> source;
  std::string begin;           ///< Its first bytes.
  std::optional<Format> text;  ///< By its name, unless the bytes say otherwise.
};

Result<Opened> open_source(const std::filesystem::path& path, const TableOptions& options) {
  Opened out;
  TRY(out.source, FileSource::open(path, options.name, options.on_bytes));
  out.begin.resize(static_cast<std::size_t>(std::min<std::uint64_t>(out.source->size(), 8)));
  TRY_DO(out.source->read(0, out.begin));
  const bool binary = std::any_of(std::begin(kBinaryBegins), std::end(kBinaryBegins),
                                  [&](const char* known) { return out.begin.starts_with(known); });
  if (!binary) out.text = format_of(path.filename().string());
  return out;
}

/// Row by row as they are read: nothing is copied.
Result<void> read_text_rows(ByteSource& source, Format format, const TableOptions& options,
                            const RowConsumer& consumer) {
  std::vector<ColumnInfo> told;
  bool first = true;
  const RowReader* names = nullptr;
  const auto tell = [&] {
    const std::vector<std::string>& columns = names->columns();
    if (!consumer.on_columns || (!first && columns.size() == told.size())) return;
    first = false;
    while (told.size() < columns.size()) told.push_back({columns[told.size()], ColumnType::kMixed, ""});
    consumer.on_columns(told);
  };
  const auto take = [&](const Row& row) {
    tell();
    return consumer.on_row({{}, row.cells});
  };
  const std::unique_ptr<RowReader> reader = make_row_reader(format, options.name, take, Canonical::kLeftOut);
  names = reader.get();
  std::string piece;
  for (std::uint64_t at = 0; at < source.size(); at += piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kTextPieceBytes, source.size() - at)));
    TRY_DO(source.read(at, piece));
    TRY_DO(reader->feed(std::as_bytes(std::span(piece))));
  }
  TRY_DO(reader->end_file());
  tell();
  return {};
}

}  // namespace

Result<std::unique_ptr<TableReader>> open_table(const std::filesystem::path& path, TableOptions options) {
  if (options.name.empty()) options.name = path.string();
  TRY(Opened opened, open_source(path, options));
  auto& [source, begin, text] = opened;
  if (begin.starts_with("PAR1") || begin.starts_with("PARE")) return ParquetTable::open(std::move(source), options);
  if (begin.starts_with("ARROW1")) return open_arrow_file(std::move(source), options);
  if (begin.starts_with("FEA1"))
    return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is a Feather file of version 1.", options.name),
                      "Write it with version 2, which is Arrow's own format, or as Parquet.");
  const std::string file_name = path.filename().string();
  if (text) return TextTable::open(std::move(source), *text, options);
  if (begin.starts_with("\xff\xff\xff\xff")) return open_arrow_stream(std::move(source), options);
  if (is_table(file_name))
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("{} does not begin as a Parquet or Arrow file does.", options.name),
                      "Is it whole? Write it again.");
  return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is no table that can be read.", options.name),
                    "Use .csv, .tsv, .jsonl, .parquet or .arrow (.feather).");
}

namespace {

Result<void> give_rows(const ColumnBatch& batch, const OnRow& on_row) {
  std::vector<Cell> cells(batch.columns.size());
  std::vector<std::string> scratch(batch.columns.size());
  for (std::size_t row = 0; row < batch.rows; ++row) {
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = batch.columns[i].cell(row, scratch[i]);
    TRY_DO(on_row({{}, cells}));
  }
  return {};
}

}  // namespace

Result<void> read_rows(const std::filesystem::path& path, const RowConsumer& consumer, TableOptions options) {
  if (options.name.empty()) options.name = path.string();
  if (options.columns.empty()) {
    TRY(const Opened opened, open_source(path, options));
    if (opened.text) return read_text_rows(*opened.source, *opened.text, options, consumer);
  }
  TRY(const std::unique_ptr<TableReader> table, open_table(path, std::move(options)));
  std::size_t told = 0;
  bool first = true;
  while (true) {
    TRY(const ColumnBatch* batch, table->next());
    if (consumer.on_columns && (first || table->columns().size() > told)) consumer.on_columns(table->columns());
    first = false;
    told = table->columns().size();
    if (batch == nullptr) return {};
    TRY_DO(consumer.on_batch ? consumer.on_batch(*batch) : give_rows(*batch, consumer.on_row));
  }
}

}  // namespace backstay::tables
