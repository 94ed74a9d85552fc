#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "domain/drift/comparison.hpp"
#include "domain/drift/row_profile.hpp"
#include "tables/profile.hpp"
#include "tables/row_reader.hpp"

using namespace backstay;

namespace {

/// A table in memory, by column, as whoever has it already would hand it over.
struct Table {
  std::vector<std::string> names;
  std::string texts;  ///< One after the other, as Arrow keeps them.
  tables::ColumnBatch batch;
};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Table read_table(const char* path) {
  Table out;
  std::vector<tables::ColumnValues>& columns = out.batch.columns;
  const auto reader = tables::make_row_reader(tables::Format::kCsv, path, [&](const tables::Row& row) -> Result<void> {
    columns.resize(row.cells.size());
    ++out.batch.rows;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const drift::Value value = tables::value_of(row.cells[i]);
      if (value.kind == drift::Value::Kind::kNumber) {
        columns[i].doubles.push_back(value.number);
      } else {
        columns[i].ends.push_back(out.texts.size());
        columns[i].texts.push_back(value.text);
        out.texts += value.text;
      }
    }
    return {};
  });
  std::ifstream in(path, std::ios::binary);
  std::vector<char> piece(1 << 20);
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())), in.gcount() > 0) {
    if (auto fed = reader->feed(std::as_bytes(std::span(piece.data(), static_cast<std::size_t>(in.gcount())))); !fed) {
      std::fprintf(stderr, "error: %s\n", fed.error().message.c_str());
      std::exit(1);
    }
  }
  if (!reader->end_file()) std::exit(1);
  for (tables::ColumnValues& column : columns) {
    const bool numbers = column.texts.empty();
    column.kept = numbers ? tables::ColumnValues::Kept::kDoubles : tables::ColumnValues::Kept::kTexts;
    column.type = numbers ? tables::ColumnType::kNumber : tables::ColumnType::kText;
    column.rows = out.batch.rows;
    for (std::size_t row = 0; row < column.texts.size(); ++row)
      column.texts[row] = std::string_view(out.texts).substr(column.ends[row], column.texts[row].size());
  }
  out.names = reader->columns();
  return out;
}

drift::Profile profile_of(const Table& table, drift::Resolution resolution) {
  drift::RowProfile rows(drift::Profile::kMaxColumns, resolution);
  drift::RowBlock block(drift::Profile::kMaxColumns);
  for (std::size_t at = 0; at < table.batch.rows; at += block.rows()) {
    block.clear();
    tables::put_rows(table.batch, at, std::min(table.batch.rows - at, block.room()), block);
    rows.add(block);
  }
  return rows.named(table.names);
}

}  // namespace

/// bench-drift TRAINING.csv LIVE.csv: CPU seconds of profiling and comparing rows that are in memory, without reading
/// them. For bench/drift.py.
int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench-drift TRAINING.csv LIVE.csv\n");
    return 2;
  }
  const Table training = read_table(argv[1]);
  const Table live = read_table(argv[2]);
  const double begin = cpu_seconds();
  const drift::Profile before = profile_of(training, drift::QuantileSketch::kFine);
  const double profiled = cpu_seconds();
  const drift::Profile now = profile_of(live, {800, 8'192});
  const drift::Comparison found = drift::compare(before, now, {});
  const double end = cpu_seconds();
  std::printf(
      "{\"training_rows\": %zu, \"live_rows\": %zu, \"columns\": %zu, \"drifted\": %zu, \"training_cpu\": %.6f, "
      "\"live_cpu\": %.6f}\n",
      training.batch.rows, live.batch.rows, live.names.size(), found.drifted(), profiled - begin, end - profiled);
  return 0;
}
