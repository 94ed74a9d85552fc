#include "services/live_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "services/row_order.hpp"
#include "tables/profile.hpp"
#include "tables/table_reader.hpp"

namespace backstay::services {

namespace fs = std::filesystem;

namespace {

// As fine as what is stored, and exact for as many rows as people look at by hand.
constexpr drift::Resolution kOfAFile{800, 8'192};

Unexpected invalid(std::string message, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message), std::move(hint));
}

using OnColumns = std::function<void(const std::vector<std::string>&)>;

/// Feeds the file's rows to one of the two, in order; `on_columns` is told their names before the first and whenever
/// there are more.
Result<void> read_file(const fs::path& path, const OnColumns& on_columns, tables::OnRow on_row,
                       std::function<Result<void>(const tables::ColumnBatch&)> on_batch,
                       const OnProgress& on_progress) {
  std::error_code ignored;
  Progress progress{path.filename().string(), 0, fs::file_size(path, ignored)};
  tables::TableOptions options;
  options.lists = true;
  options.on_bytes = [&](std::uint64_t bytes) {
    progress.done_bytes += bytes;
    if (on_progress) on_progress(progress);
  };
  const auto tell = [&](const std::vector<tables::ColumnInfo>& columns) {
    std::vector<std::string> names;
    for (const tables::ColumnInfo& column : columns) names.push_back(column.name);
    on_columns(names);
  };
  return tables::read_rows(path, {std::move(on_row), std::move(on_batch), tell}, std::move(options));
}

std::size_t index_of(const std::vector<std::string>& columns, const std::string& name) {
  return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), name) - columns.begin());
}

std::string_view text_at(const tables::Row& row, std::size_t index) {
  return index < row.cells.size() ? row.cells[index].text : std::string_view();
}

/// Booleans are 0 and 1.
bool same_value(const drift::Value& a, const drift::Value& b, double tolerance) {
  using Kind = drift::Value::Kind;
  if (a.kind == Kind::kText || b.kind == Kind::kText) return a.kind == b.kind && a.text == b.text;
  if (a.kind == Kind::kNested || b.kind == Kind::kNested) return false;
  return a.number == b.number || std::abs(a.number - b.number) <= tolerance;
}

/// A column of amounts rather than of classes, as far as its values tell.
bool is_quantity(const drift::ColumnProfile& column) {
  constexpr std::uint64_t kMostClasses = 1'000;
  if (!column.many_numbers || column.texts > 0) return false;
  return column.integers < column.numbers || column.distinct() > kMostClasses || column.distinct() > column.numbers / 4;
}

bool share_a_value(const drift::ColumnProfile& a, const drift::ColumnProfile& b) {
  const auto& entries = b.categories.entries();
  return std::any_of(a.categories.entries().begin(), a.categories.entries().end(), [&](const auto& mine) {
    return std::any_of(entries.begin(), entries.end(), [&](const auto& theirs) { return theirs.hash == mine.hash; });
  });
}

class Reading {
 public:
  Reading(const LiveFile& file, const LiveWatch& watch)
      : file_(file),
        watch_(watch),
        profile_(drift::Profile::kMaxColumns, kOfAFile),
        block_(drift::Profile::kMaxColumns) {
    if (watch.training != nullptr) stream_.emplace(*watch.training, watch.plan, watch.ignored);
    if (watch.label.empty()) return;
    out_.errors.emplace();
    out_.errors->expected = watch.expected_error;
    detector_.emplace(watch.expected_error, watch.run_length);
  }

  void learn_columns(const std::vector<std::string>& columns) {
    columns_ = columns;
    time_ = index_of(columns, file_.time_column);
    label_ = index_of(columns, watch_.label);
    prediction_ = index_of(columns, watch_.prediction);
    if (!stream_) return;
    take_block();  // Its rows are about the columns that were known then.
    stream_->set_columns(columns);
  }

  Result<void> take(const tables::Row& row) {
    if (file_.since) {
      TRY(const bool is_asked_for, asked_for(text_at(row, time_), rows()));
      if (!is_asked_for) return {};
    }
    if (rows() == 0)
      for (std::size_t i = 0; i < row.cells.size(); ++i) note_time(i, row.cells[i]);
    tables::put_row(row.cells, block_);
    if (block_.full()) take_block();
    if (detector_ && label_ < row.cells.size() && prediction_ < row.cells.size())
      judge(row.cells[label_], row.cells[prediction_], rows());
    return {};
  }

  Result<void> take(const tables::ColumnBatch& batch) {
    std::string scratch;
    std::size_t begin = 0;  // Of rows that are asked for and were not taken yet.
    for (std::size_t row = 0; file_.since && row < batch.rows; ++row) {
      const bool has_time = time_ < batch.columns.size();
      TRY(const bool is_asked_for,
          asked_for(has_time ? batch.columns[time_].cell(row, scratch).text : "", rows() + row - begin));
      if (is_asked_for) continue;
      take_rows(batch, begin, row);
      begin = row + 1;
    }
    take_rows(batch, begin, batch.rows);
    return {};
  }

  Result<LiveRows> finish() {
    if (columns_.empty()) return no_rows();
    for (const std::string* name : {&file_.time_column, &watch_.label, &watch_.prediction})
      if (!name->empty() && std::find(columns_.begin(), columns_.end(), *name) == columns_.end())
        return invalid(
            fmt::format("{} has no column '{}'.", file_.path.string(), *name),
            fmt::format("Its columns: {}.",
                        fmt::join(columns_.begin(),
                                  columns_.begin() + std::min<std::ptrdiff_t>(20, std::ssize(columns_)), ", ")));
    take_block();
    if (rows() == 0) return no_rows();
    out_.profile = profile_.named(columns_);
    if (detector_) TRY_DO(check_errors());
    if (stream_)
      for (drift::StreamWatch::Alarm& each : stream_->alarms()) out_.alarms.push_back({each.column, each.alarm});
    return std::move(out_);
  }

 private:
  /// Whether a row is late enough; one that is not is counted. `taken`: rows before it that were.
  Result<bool> asked_for(std::string_view time, std::uint64_t taken) {
    auto at = parse_row_time(std::string(time));
    if (!at)
      return Unexpected(std::move(at).error().within(
          fmt::format("{} row {}, column '{}'", file_.path.string(), taken + out_.left_out, file_.time_column)));
    newest_ = std::max(newest_.value_or(*at), *at);
    if (*at >= *file_.since) return true;
    ++out_.left_out;
    return false;
  }

  Unexpected no_rows() const {
    if (!newest_)
      return invalid(fmt::format("{} has no rows.", file_.path.string()),
                     "Give the rows that the model was asked about.");
    return invalid(fmt::format("None of the {} rows of {} is from {} on: the newest in '{}' is {}.", out_.left_out,
                               file_.path.string(), to_rfc3339(*file_.since), file_.time_column, to_rfc3339(*newest_)),
                   "Begin earlier with --since, or name the column that has the rows' times with --time.");
  }

  void note_time(std::size_t column, const tables::Cell& cell) {
    double number = 0;
    if (cell.kind != tables::Cell::Kind::kText || tables::read_number(cell.text, number)) return;
    if (column < columns_.size() && parse_row_time(std::string(cell.text.substr(0, 64))))
      out_.times.insert(std::string(drift::kept_name(columns_[column])));
  }

  /// Whether being equal is what tells right predictions of these columns.
  Result<void> check_errors() {
    const drift::ColumnProfile* label = out_.profile.find(drift::kept_name(watch_.label));
    const drift::ColumnProfile* prediction = out_.profile.find(drift::kept_name(watch_.prediction));
    if (label == nullptr || prediction == nullptr) return {};
    for (const auto& [name, column] : {std::pair{&watch_.label, label}, {&watch_.prediction, prediction}})
      if (!watch_.tolerance && is_quantity(*column))
        return invalid(fmt::format("'{}' has about {} different numbers: equality does not tell which predictions of "
                                   "a quantity are right.",
                                   *name, column->distinct()),
                       "Say how far one may be off: --tolerance 0.5; --tolerance 0 asks for equal numbers.");
    ErrorReport& errors = *out_.errors;
    if (errors.labelled > 0 && errors.wrong == errors.labelled && !watch_.tolerance &&
        !share_a_value(*label, *prediction))
      errors.note = fmt::format("'{}' and '{}' have no value in common: they may name the same classes differently",
                                watch_.prediction, watch_.label);
    if (errors.labelled == 0)
      errors.note = fmt::format("no row has both '{}' and '{}'", watch_.prediction, watch_.label);
    return {};
  }

  void take_rows(const tables::ColumnBatch& batch, std::size_t begin, std::size_t end) {
    std::string scratch;
    if (rows() == 0 && begin < end)
      for (std::size_t i = 0; i < batch.columns.size(); ++i) note_time(i, batch.columns[i].cell(begin, scratch));
    for (std::size_t row = begin; detector_ && row < end; ++row) {
      if (label_ >= batch.columns.size() || prediction_ >= batch.columns.size()) break;
      std::string label;
      std::string prediction;
      judge(batch.columns[label_].cell(row, label), batch.columns[prediction_].cell(row, prediction),
            rows() + row - begin + 1);
    }
    while (begin < end) {
      const std::size_t count = std::min(end - begin, block_.room());
      tables::put_rows(batch, begin, count, block_);
      begin += count;
      if (block_.full()) take_block();
    }
  }

  std::uint64_t rows() const { return profile_.rows() + block_.rows(); }

  void take_block() {
    profile_.add(block_);
    if (stream_) stream_->observe(block_);
    block_.clear();
  }

  /// Of the stream's row of that number, counted from 1.
  void judge(const tables::Cell& label_cell, const tables::Cell& prediction_cell, std::uint64_t row) {
    const drift::Value label = tables::value_of(label_cell);
    const drift::Value prediction = tables::value_of(prediction_cell);
    if (label.kind == drift::Value::Kind::kMissing || prediction.kind == drift::Value::Kind::kMissing) return;
    const bool wrong = !same_value(label, prediction, watch_.tolerance.value_or(0));
    ++out_.errors->labelled;
    if (wrong) ++out_.errors->wrong;
    if (detector_->observe(wrong) && !out_.errors->alarm) out_.errors->alarm = row;
  }

  const LiveFile& file_;
  const LiveWatch& watch_;
  drift::RowProfile profile_;
  drift::RowBlock block_;
  std::optional<drift::StreamWatch> stream_;
  std::optional<drift::ErrorDetector> detector_;
  std::vector<std::string> columns_;
  std::size_t time_ = 0;
  std::size_t label_ = 0;
  std::size_t prediction_ = 0;
  std::optional<Timestamp> newest_;  ///< Of the times that were looked at.
  LiveRows out_;
};

/// Gives the alarms the time of the row at which the drift began, or errors were seen to be more frequent.
Result<void> add_times(const LiveFile& file, LiveRows& out) {
  std::multimap<std::uint64_t, std::string*> wanted;
  for (ColumnAlarm& alarm : out.alarms) wanted.emplace(alarm.alarm.since + out.left_out, &alarm.since_time);
  if (out.errors && out.errors->alarm) wanted.emplace(*out.errors->alarm - 1 + out.left_out, &out.errors->alarm_time);
  std::uint64_t row_number = 0;
  std::size_t time = 0;
  RowOrder order;
  TRY_DO(read_file(
      file.path, [&](const std::vector<std::string>& columns) { time = index_of(columns, file.time_column); },
      [&](const tables::Row& row) -> Result<void> {
        const auto [first, last] = wanted.equal_range(row_number++);
        for (auto each = first; each != last; ++each) *each->second = text_at(row, time);
        if (row_number <= out.left_out) return {};
        const auto at = parse_row_time(std::string(text_at(row, time)));
        order.add(at ? std::optional(*at) : std::nullopt);
        return {};
      },
      {}, {}));
  out.in_order = order.in_order();
  if (out.in_order) return {};
  for (const auto& [row, text] : wanted) text->clear();
  return {};
}

}  // namespace

Result<Timestamp> parse_row_time(const std::string& text) {
  if (auto exact = parse_rfc3339(text)) return *exact;
  if (text.size() == 10 && text[4] == '-')
    if (auto day = parse_rfc3339(text + "T00:00:00Z")) return *day;
  if (text.size() >= 19 && text[10] == ' ') {
    std::string changed = text;
    changed[10] = 'T';
    if (changed.back() != 'Z') changed += 'Z';
    if (auto moment = parse_rfc3339(changed)) return *moment;
  }
  double number = 0;
  constexpr double kMaxSeconds = 253'402'300'800;  // The year 10000.
  if (tables::read_number(text, number) && number >= 0 && number < kMaxSeconds)
    return Timestamp(microseconds(static_cast<std::int64_t>(number * 1e6)));
  return invalid(fmt::format("'{}' is no time.", text.substr(0, 100)),
                 "Write times like 2026-11-24T10:15:30Z, 2026-11-24 10:15:30, 2026-11-24, or as seconds since 1970.");
}

Result<Timestamp> moment_of(const std::string& text, Timestamp now) {
  constexpr std::chrono::hours kMost{24 * 365 * 100};
  if (const auto duration = parse_duration(text); duration && *duration <= kMost) return now - *duration;
  if (auto at = parse_row_time(text)) return *at;
  return invalid(fmt::format("'{}' is no time and no duration.", text.substr(0, 100)),
                 "Write a moment like 2026-11-24T10:15:30Z, or how long ago, like 2d.");
}

Result<LiveRows> read_live_rows(const LiveFile& file, const LiveWatch& watch, const OnProgress& on_progress) {
  if (file.since && file.time_column.empty())
    return invalid("A point in time needs a column that has the rows' times.", "Name it with --time COLUMN.");
  Reading reading(file, watch);
  TRY_DO(read_file(
      file.path, [&](const std::vector<std::string>& columns) { reading.learn_columns(columns); },
      [&](const tables::Row& row) { return reading.take(row); },
      [&](const tables::ColumnBatch& batch) { return reading.take(batch); }, on_progress));
  TRY(LiveRows out, reading.finish());
  const bool has_alarms = !out.alarms.empty() || (out.errors && out.errors->alarm);
  if (has_alarms && !file.time_column.empty()) TRY_DO(add_times(file, out));
  return out;
}

}  // namespace backstay::services
