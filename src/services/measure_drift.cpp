#include "services/measure_drift.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/gates/intervals.hpp"

namespace backstay::services {

namespace {

constexpr double kLeastError = 0.001;
constexpr double kConfidence = 0.95;

/// At most this share of predictions should be wrong: one minus the lower limit of the newest measured accuracy.
Result<double> expected_error(const VersionStore& versions, const registry::VersionRef& ref) {
  TRY(const std::vector<registry::StoredScorecard> scorecards, versions.scorecards(ref));
  const registry::Metric* newest = nullptr;
  Timestamp at{};
  for (const registry::StoredScorecard& stored : scorecards) {
    for (const registry::Metric& metric : stored.scorecard.metrics) {
      if (metric.name != "accuracy" || !metric.group.empty() || (newest != nullptr && stored.at < at)) continue;
      newest = &metric;
      at = stored.at;
    }
  }
  if (newest == nullptr)
    return Unexpected(ErrorCode::kFailedPrecondition,
                      fmt::format("{} has no scorecard with an accuracy to compare errors with.", ref.str()),
                      "Add one with backstay scorecard add, or say what is normal: --error-rate 5%.");
  const double lower = newest->lower.value_or(gates::wilson(newest->value, newest->samples, kConfidence).lower);
  return 1 - lower;
}

/// The prediction's column under the name of what it predicts, alone.
Result<drift::Profile> alone(const drift::Profile& profile, const std::string& column, const std::string& as,
                             const std::string& where) {
  const drift::ColumnProfile* found = profile.find(column);
  if (found == nullptr)
    return Unexpected(ErrorCode::kNotFound, fmt::format("{} has no column '{}'.", where, column),
                      "--prediction takes LIVE_COLUMN or LIVE_COLUMN=TRAINING_COLUMN.");
  drift::Profile out;
  out.rows = profile.rows;
  out.columns.push_back({as, *found});
  return out;
}

}  // namespace

bool DriftReport::drifted() const {
  return !comparison.clean() || !live.alarms.empty() ||
         (prediction && (prediction->drifted || !prediction->quality.empty())) || (live.errors && live.errors->alarm);
}

namespace {

Result<DriftReport> begin_report(const Registry& registry, const registry::VersionRef& version) {
  DriftReport out;
  out.version = version;
  TRY(const StoredVersion stored, registry.versions.version(version));
  TRY(const registry::Manifest manifest, manifest_of(stored));
  TRY(out.training, data_profile(registry.blobs, manifest, "training"));
  return out;
}

std::string names_of(const drift::Profile& profile) {
  constexpr std::size_t kShown = 20;
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, profile.columns.size()); ++i)
    out += (i == 0 ? "" : ", ") + profile.columns[i].name;
  return out + (profile.columns.size() > kShown ? ", ..." : "");
}

std::string live_names_of(const drift::Profile& live) {
  if (live.left_out == 0) return names_of(live);
  return fmt::format("{}, and at least {} more that were left out", names_of(live), live.left_out);
}

/// Why no column could be compared.
Unexpected nothing_to_compare(const DriftReport& report, const std::string& where) {
  const drift::Profile& training = report.training.profile;
  if (training.columns.empty())
    return Unexpected(ErrorCode::kFailedPrecondition,
                      fmt::format("The training data of {} has no rows.", report.version.str()),
                      "Register a version with the rows that it was trained on.");
  if (report.live.profile.columns.empty() && report.unreadable > 0)
    return Unexpected(ErrorCode::kFailedPrecondition,
                      fmt::format("{} of {} sampled requests could not be read: {}.", report.unreadable,
                                  report.requests, told_unreadable(report.unreadable_for)),
                      "docs/drift.md names the bodies that are read; else give a file of live rows with --live.");
  if (report.live.profile.columns.empty())
    return Unexpected(ErrorCode::kFailedPrecondition, fmt::format("{} has no rows.", where),
                      "Ask again when there are some, or give a file of live rows with --live.");
  if (report.comparison.absent.empty() && report.comparison.not_compared.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "All columns are left out.", "Leave out fewer of them.");
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} has no column of the training data.", where),
                    fmt::format("The training data has: {}; the live data has: {}.", names_of(training),
                                live_names_of(report.live.profile)));
}

/// `predictions`: where the live predictions are.
Result<void> compare_columns(const DriftQuestion& question, const std::set<std::string>& ignored,
                             const drift::Profile& predictions, const std::string& where, DriftReport& out) {
  out.comparison = drift::compare(out.training.profile, out.live.profile, question.thresholds, ignored);
  if (out.comparison.columns.empty()) return nothing_to_compare(out, where);
  if (question.prediction.empty() || question.predicted.empty()) return {};
  TRY(const drift::Profile then,
      alone(out.training.profile, question.predicted, question.prediction, "The training data"));
  TRY(const drift::Profile now, alone(predictions, question.prediction, question.prediction, where));
  out.prediction = drift::compare(then, now, question.thresholds).columns.at(0);
  return {};
}

}  // namespace

Result<DriftReport> measure_drift(const Registry& registry, const registry::VersionRef& version,
                                  const DriftQuestion& question, const OnProgress& on_progress) {
  TRY(DriftReport out, begin_report(registry, version));
  LiveWatch watch;
  watch.training = &out.training.profile;
  watch.plan.alpha = question.thresholds.alpha;
  watch.ignored = question.ignored;
  for (const std::string* special : {&question.label, &question.prediction, &question.file.time_column})
    if (!special->empty()) watch.ignored.insert(*special);
  if (!question.label.empty()) {
    watch.label = question.label;
    watch.prediction = question.prediction;
    watch.tolerance = question.tolerance;
    if (question.error_rate) {
      watch.expected_error = *question.error_rate;
    } else {
      TRY(watch.expected_error, expected_error(registry.versions, version));
    }
    watch.expected_error = std::clamp(watch.expected_error, kLeastError, 1 - kLeastError);
  }
  TRY(out.live, read_live_rows(question.file, watch, on_progress));
  TRY_DO(check_ignored(question.ignored, out.training.profile, out.live.profile));
  TRY_DO(compare_columns(question, watch.ignored, out.live.profile, question.file.path.string(), out));
  return out;
}

Result<DriftReport> measure_live_drift(const Registry& registry, const registry::VersionRef& version,
                                       const LivePeriod& period, const DriftQuestion& question) {
  TRY(DriftReport out, begin_report(registry, version));
  out.live.profile = period.profile;
  out.unreadable = period.unreadable;
  out.unreadable_for = period.unreadable_for;
  out.requests = period.requests;
  out.dropped = period.dropped;
  TRY_DO(compare_columns(question, question.ignored, period.predictions, "The live data", out));
  out.since = drifted_since(out.training.profile, period, question.thresholds, question.ignored);
  return out;
}

std::string told_unreadable(const std::map<std::string, std::uint64_t>& unreadable_for) {
  std::string out;
  for (const auto& [why, count] : unreadable_for) {
    const char* const text = why == "packed"     ? "packed, but not by gzip into at most 1 MiB"
                             : why == "not_json" ? "no JSON"
                                                 : "JSON without rows, or tensors that are not what their shapes say";
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, text);
  }
  return out.empty() ? "their bodies have no rows" : out;
}

Result<void> check_ignored(const std::set<std::string>& ignored, const drift::Profile& training,
                           const drift::Profile& live) {
  if (training.left_out > 0 || live.left_out > 0) return {};
  for (const std::string& name : ignored)
    if (training.find(name) == nullptr && live.find(name) == nullptr)
      return Unexpected(
          ErrorCode::kInvalidArgument, fmt::format("There is no column '{}' to leave out.", name),
          fmt::format("The training data has: {}; the live data has: {}.", names_of(training), names_of(live)));
  return {};
}

Result<registry::VersionRef> version_in_use(const Records& records, const std::string& text) {
  if (text.find('@') != std::string::npos) return resolve_version(records, text);
  TRY(const std::optional<EndpointRecord> endpoint, records.rollouts.endpoint(text));
  if (endpoint && !endpoint->stable.empty()) {
    TRY(const registry::SemanticVersion number, registry::SemanticVersion::parse(endpoint->stable));
    return registry::VersionRef{endpoint->model, number};
  }
  TRY(const std::vector<StoredVersion> versions, records.versions.versions(text));
  for (const StoredVersion& version : versions)
    if (version.stage == "Production") return version.ref;
  if (!versions.empty())
    return Unexpected(ErrorCode::kFailedPrecondition, fmt::format("No version of '{}' is in production.", text),
                      fmt::format("Name the version, like {}.", versions.front().ref.str()));
  return Unexpected(ErrorCode::kNotFound, fmt::format("There is no endpoint and no model '{}'.", text),
                    "backstay status lists endpoints, backstay list versions.");
}

}  // namespace backstay::services
