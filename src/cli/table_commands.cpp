#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "tables/table_reader.hpp"
#include "tables/value_text.hpp"

/// Looking into tables, as Backstay reads them.
namespace backstay::cli {

namespace {

using tables::Cell;

struct Arguments {
  std::string file;
  std::vector<std::string> columns;
  std::uint64_t rows = 10;
};

/// Calls `on_row` for the first rows.
Result<void> read_head(tables::TableReader& table, std::uint64_t rows,
                       const std::function<void(const tables::ColumnBatch&, std::size_t row)>& on_row) {
  while (rows > 0) {
    TRY(const tables::ColumnBatch* batch, table.next());
    if (batch == nullptr) break;
    for (std::size_t row = 0; row < batch->rows && rows > 0; ++row, --rows) on_row(*batch, row);
  }
  return {};
}

void append_json_cell(const Cell& cell, std::string& out) {
  switch (cell.kind) {
    case Cell::Kind::kMissing:
    case Cell::Kind::kNested: out += "null"; return;
    case Cell::Kind::kBoolean: out += cell.text; return;
    case Cell::Kind::kNumber:
      // JSON has no word for what is no number.
      if (std::isfinite(cell.number)) {
        out += cell.text;
        return;
      }
      [[fallthrough]];
    case Cell::Kind::kText: tables::append_json(out, cell.text);
  }
}

/// Written as it is read: numbers with all their digits, and rows that no memory holds.
Result<ExitCode> print_json_head(tables::TableReader& table, std::uint64_t rows) {
  std::string scratch;
  std::string line;
  bool first = true;
  fmt::print("{{\"rows\": [");
  TRY_DO(read_head(table, rows, [&](const tables::ColumnBatch& batch, std::size_t row) {
    line = first ? "\n  [" : ",\n  [";
    first = false;
    for (std::size_t i = 0; i < batch.columns.size(); ++i) {
      if (i > 0) line += ", ";
      append_json_cell(batch.columns[i].cell(row, scratch), line);
    }
    fmt::print("{}]", line);
  }));
  line.clear();
  for (const tables::ColumnInfo& column : table.columns()) {
    line += line.empty() ? "\n  {\"name\": " : ",\n  {\"name\": ";
    tables::append_json(line, column.name);
    line += ", \"type\": ";
    tables::append_json(line, to_string(column.type));
    line += ", \"stored\": ";
    tables::append_json(line, column.stored);
    line += '}';
  }
  fmt::print("],\n\"columns\": [{}],\n\"rows_in_file\": {}}}\n", line,
             table.rows() ? fmt::to_string(*table.rows()) : "null");
  return kOk;
}

/// As one line without control characters, cut where it is long.
std::string shown(const Cell& cell) {
  if (cell.kind == Cell::Kind::kNested) return "(nested)";
  constexpr std::size_t kMostBytes = 40;
  std::string out;
  for (const char c : cell.text) {
    // Not into a character of several bytes.
    if (out.size() >= kMostBytes && (static_cast<unsigned char>(c) & 0xc0) != 0x80) return out + "...";
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  return out;
}

Result<ExitCode> head(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, tables::open_table(arguments.file, {"", arguments.columns}));
  if (context.common.json) return print_json_head(*opened, arguments.rows);
  std::vector<std::vector<std::string>> rows(1);
  std::string scratch;
  TRY_DO(read_head(*opened, arguments.rows, [&](const tables::ColumnBatch& batch, std::size_t row) {
    std::vector<std::string>& cells = rows.emplace_back();
    for (const tables::ColumnValues& column : batch.columns) cells.push_back(shown(column.cell(row, scratch)));
  }));
  for (const tables::ColumnInfo& column : opened->columns())
    rows[0].push_back(column.stored.empty()
                          ? shown({Cell::Kind::kText, column.name})
                          : fmt::format("{} ({})", shown({Cell::Kind::kText, column.name}), column.stored));
  fmt::print("{}", table(rows));
  if (opened->rows() && *opened->rows() > rows.size() - 1)
    fmt::print("{} of {} rows\n", rows.size() - 1, *opened->rows());
  return kOk;
}

}  // namespace

void add_table_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* table = context.app.add_subcommand("table", "Look into tables: CSV, TSV, JSON Lines, Parquet, Arrow");
  table->require_subcommand(1);
  CLI::App* command = context.add(*table, "head", "Show the first rows, as Backstay reads them",
                                  "backstay table head train.parquet --rows 5 --columns age,site");
  command->add_option("FILE", a.file, ".csv, .tsv, .jsonl, .parquet, .arrow, .feather")->required();
  command->add_option("--rows", a.rows, "How many")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->add_option("--columns", a.columns, "Only these columns")->delimiter(',');
  context.on(command, [context, arguments] { return head(context, *arguments); });
}

}  // namespace backstay::cli
