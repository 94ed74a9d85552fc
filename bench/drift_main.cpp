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

/// A table in memory, as whoever has it already would hand it over.
struct Table {
  std::vector<std::string> columns;
  std::string texts;
  std::vector<drift::Value> values;  ///< Row by row.
};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Table read_table(const char* path) {
  Table out;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // Of texts: they move while more are read.
  const auto reader = tables::make_row_reader(tables::Format::kCsv, path, [&](const tables::Row& row) -> Result<void> {
    for (const tables::Cell& cell : row.cells) {
      const drift::Value value = tables::value_of(cell);
      places.emplace_back(out.texts.size(), value.text.size());
      out.texts += value.text;
      out.values.push_back(value);
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
  for (std::size_t i = 0; i < places.size(); ++i)
    out.values[i].text = std::string_view(out.texts).substr(places[i].first, places[i].second);
  out.columns = reader->columns();
  return out;
}

drift::Profile profile_of(const Table& table, std::uint32_t k) {
  drift::RowProfile rows(drift::Profile::kMaxColumns, k);
  const std::size_t width = table.columns.size();
  for (std::size_t at = 0; at < table.values.size(); at += width) rows.add(std::span(table.values).subspan(at, width));
  return rows.named(table.columns);
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
  const drift::Profile before = profile_of(training, drift::QuantileSketch::kUsualK);
  const double profiled = cpu_seconds();
  const drift::Profile now = profile_of(live, 500);
  const drift::Comparison found = drift::compare(before, now, {});
  const double end = cpu_seconds();
  std::printf(
      "{\"training_rows\": %zu, \"live_rows\": %zu, \"columns\": %zu, \"drifted\": %zu, \"training_cpu\": %.6f, "
      "\"live_cpu\": %.6f}\n",
      training.values.size() / training.columns.size(), live.values.size() / live.columns.size(), live.columns.size(),
      found.drifted(), profiled - begin, end - profiled);
  return 0;
}
