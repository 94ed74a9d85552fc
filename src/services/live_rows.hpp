#pragma once

#include <filesystem>
#include <optional>
#include <set>

#include "base/time.hpp"
#include "domain/drift/column_profile.hpp"
#include "domain/drift/row_profile.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// Rows that a model was asked about: any table that tables/table_reader.hpp reads.
struct LiveFile {
  std::filesystem::path path;
  std::string time_column{};         ///< Empty: rows have no time.
  std::optional<Timestamp> since{};  ///< Rows before it are left out; needs the time column.
};

/// Where a column's stream left its training distribution.
struct ColumnAlarm {
  std::string column;
  drift::ColumnWatch::Alarm alarm;
  std::string since_time{};  ///< As the time column has it.
};

/// Labels that came: whether errors became more frequent than they were when the version was measured.
struct ErrorReport {
  std::uint64_t labelled = 0;
  std::uint64_t wrong = 0;
  double expected = 0;                   ///< Error rate that was to be expected at most.
  std::optional<std::uint64_t> alarm{};  ///< The row at which the detector gave its first alarm, from 1 on.
  std::string alarm_time{};              ///< Of that row, as the time column has it.
  std::string note{};                    ///< What makes the figures doubtful; empty: nothing.
};

struct LiveRows {
  drift::Profile profile;
  std::vector<ColumnAlarm> alarms;  ///< Earliest first.
  std::uint64_t left_out = 0;       ///< Rows before `since`.
  std::optional<ErrorReport> errors{};
  /// The rows are in the order of the time column, but for a few. Looked at when there are alarms only: without that
  /// order since when means nothing, and the alarms have no times.
  bool in_order = true;
  std::set<std::string> times{};  ///< Columns of texts whose first value is a time.
};

/// What is looked for while the rows are read, beside profiling them.
struct LiveWatch {
  const drift::Profile* training = nullptr;  ///< Columns are watched in the rows' order; nullptr: none is.
  drift::WatchPlan plan{};                   ///< Its alpha is divided among the columns.
  std::set<std::string> ignored{};
  std::string label{};  ///< Columns that tell, together, whether a prediction was wrong; empty: not looked at.
  std::string prediction{};
  std::optional<double> tolerance{};  ///< A number is right when it is no further off; nothing: when it is the same.
  double expected_error = 0;
  double run_length = 10'000;  ///< Labelled rows between two false alarms about errors.
};

/// kInvalidArgument when no rows are left. Reads the file once, in memory that does not depend on its length; twice
/// when alarms are to be given times.
Result<LiveRows> read_live_rows(const LiveFile& file, const LiveWatch& watch, const OnProgress& on_progress);

/// "2026-11-24T10:15:30Z", "2026-11-24 10:15:30", "2026-11-24", or seconds since 1970.
Result<Timestamp> parse_row_time(const std::string& text);

/// The same, or a duration before `now` ("2d").
Result<Timestamp> moment_of(const std::string& text, Timestamp now);

}  // namespace backstay::services
