#pragma once

#include "domain/drift/comparison.hpp"
#include "services/live_period.hpp"
#include "services/live_rows.hpp"
#include "services/profiles.hpp"
#include "services/records.hpp"

namespace backstay::services {

struct DriftQuestion {
  LiveFile file;
  drift::Thresholds thresholds;
  std::set<std::string> ignored;
  std::string prediction;            ///< A live column with predictions.
  std::string predicted;             ///< The training column it is compared with: what was to be predicted.
  std::string label;                 ///< A live column with what the predictions should have been.
  std::optional<double> tolerance;   ///< LiveWatch::tolerance.
  std::optional<double> error_rate;  ///< That is to be expected; nothing: as the version's scorecards say.
};

struct DriftReport {
  registry::VersionRef version;
  DataProfile training;
  drift::Comparison comparison;
  LiveRows live;
  std::optional<drift::ColumnDrift> prediction;
  std::uint64_t requests = 0;                             ///< Sampled; 0 for a file. Of them
  std::uint64_t unreadable = 0;                           ///< those without rows,
  std::map<std::string, std::uint64_t> unreadable_for{};  ///< by why, and
  std::uint64_t dropped = 0;                              ///< those that were not looked into; 0 for a file.
  DriftedSince since;  ///< Of what drifted: the first window; empty for a file of rows.
  /// What people should do something about. Not `comparison` alone: a change near the end of the rows is diluted there.
  bool drifted() const;
};

/// A file of live rows against what a version was trained on.
Result<DriftReport> measure_drift(const Registry& registry, const registry::VersionRef& version,
                                  const DriftQuestion& question, const OnProgress& on_progress);

/// What the gateway kept of live requests against what a version was trained on. `question.file` is not looked at, and
/// there are no labels in it.
Result<DriftReport> measure_live_drift(const Registry& registry, const registry::VersionRef& version,
                                       const LivePeriod& period, const DriftQuestion& question);

/// "12 packed by something else than gzip, 3 no JSON"; of counts by LiveWindow::unreadable_for.
std::string told_unreadable(const std::map<std::string, std::uint64_t>& unreadable_for);

/// kInvalidArgument when a column that is to be left out is on neither side.
Result<void> check_ignored(const std::set<std::string>& ignored, const drift::Profile& training,
                           const drift::Profile& live);

/// An endpoint's stable version; of a model the version in production; or a version as people name it.
Result<registry::VersionRef> version_in_use(const Records& records, const std::string& text);

}  // namespace backstay::services
