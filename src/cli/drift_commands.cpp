#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/drift_json.hpp"
#include "cli/drift_view.hpp"
#include "cli/live_source.hpp"
#include "cli/progress.hpp"
#include "services/measure_drift.hpp"

/// Whether a model is asked about other things than it was trained on, and which version fits better.
namespace backstay::cli {

namespace {

struct Arguments {
  std::string target;
  std::string live;
  std::string since;
  std::string prediction;
  bool all = false;
  std::string error_rate;
  std::string segment;
  services::DriftQuestion question;
};

Result<double> rate_of(const std::string& text) {
  char* end = nullptr;
  double out = std::strtod(text.c_str(), &end);
  if (end != text.c_str() && *end == '%') {
    out /= 100;
    ++end;
  }
  if (end != text.c_str() && *end == '\0' && out > 0 && out < 1) return out;
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no error rate.", text),
                    "Write a share above 0 and below 1, like 5% or 0.05.");
}

Result<services::DriftQuestion> question_of(const Arguments& a) {
  services::DriftQuestion out = a.question;
  const drift::Thresholds& limits = out.thresholds;
  out.file.path = a.live;
  if (!a.since.empty()) {
    TRY(out.file.since, since_of(a.since));
  }
  if (!a.error_rate.empty()) {
    TRY(out.error_rate, rate_of(a.error_rate));
  }
  const std::size_t equals = a.prediction.find('=');
  out.prediction = a.prediction.substr(0, equals);
  if (equals != std::string::npos) out.predicted = a.prediction.substr(equals + 1);
  if (a.live.empty() && (!out.label.empty() || !out.file.time_column.empty()))
    return Unexpected(ErrorCode::kInvalidArgument, "--time and --label are columns of a file.",
                      "Give the file with --live; without it what the gateway kept is looked at.");
  if (!(limits.shift >= 0) || !(limits.correlation >= 0 && limits.correlation <= 2) ||
      (out.tolerance && !(*out.tolerance >= 0)))
    return Unexpected(ErrorCode::kInvalidArgument,
                      "--min-shift and --tolerance are at least 0, --min-correlation lies between 0 and 2.",
                      "--min-shift 0.1 are a tenth of a training standard deviation.");
  if (out.tolerance && out.label.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "--tolerance is about labels.",
                      "Name their column with --label COLUMN.");
  if (!out.label.empty() && out.prediction.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "Labels need predictions to be compared with.",
                      "Name the column of the predictions with --prediction COLUMN.");
  if (!(limits.alpha > 0 && limits.alpha < 1))
    return Unexpected(ErrorCode::kInvalidArgument, "--alpha is a chance, above 0 and below 1.",
                      "Use 0.01, or 0.05 to find more and be wrong more often.");
  return out;
}

Result<services::DriftReport> report_of(OpenRegistry& opened, const registry::VersionRef& ref,
                                        const services::DriftQuestion& question, const Arguments& a) {
  if (!a.live.empty())
    return services::measure_drift(opened.registry(), ref, question, progress_on_terminal(Unit::kBytes));
  TRY(const services::LivePeriod period, period_of(opened, a.target, ref, a.segment, question.file.since));
  return services::measure_live_drift(opened.registry(), ref, period, question);
}

Result<ExitCode> measure(const Context& context, const Arguments& a) {
  TRY(const services::DriftQuestion question, question_of(a));
  TRY(const auto opened, context.open());
  TRY(const registry::VersionRef ref, services::version_in_use(opened->records(), a.target));
  TRY(const services::DriftReport report, report_of(*opened, ref, question, a));
  if (context.common.json) {
    print_json(api::to_json(report));
  } else {
    fmt::print("{}", drift_text(report, a.live.empty() ? "live traffic" : a.live, a.all));
  }
  if (!report.comparison.enough) return kGateInsufficient;
  return report.drifted() ? kGateFailed : kOk;
}

}  // namespace

Result<services::LivePeriod> period_of(OpenRegistry& opened, const std::string& endpoint,
                                       const registry::VersionRef& version, const std::string& segment,
                                       const std::optional<Timestamp>& since) {
  TRY(const std::optional<EndpointRecord> record, opened.records().rollouts.endpoint(endpoint));
  if (!record)
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no endpoint.", endpoint),
                      "Live data is kept by endpoint: name one, or give a file of rows with --live.");
  return services::live_period(opened.live_windows(), endpoint, version.version.str(), segment, since);
}

Result<Timestamp> since_of(const std::string& text) {
  return services::moment_of(text, system_clock().now());
}

void add_drift_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* command = context.add(
      context.app, "drift", "Compare live data with what a version was trained on; exit 0 as in training, 6 drifted",
      "backstay drift breast-cancer@1.1.0 --live last-week.csv\n  backstay drift diagnosis --live log.jsonl --time at "
      "--since 2d --prediction answer --label truth");
  command->add_option("TARGET", a.target, "MODEL@X.Y.Z, MODEL@ALIAS, an endpoint, or a model (its production version)")
      ->required();
  command->add_option("--live", a.live,
                      "A table of rows that the model was asked about (CSV, JSON Lines, Parquet, Arrow); without it, "
                      "what the gateway kept of "
                      "the endpoint's requests");
  command->add_option("--segment", a.segment,
                      "Of what the gateway kept: only requests with this value in the segment "
                      "column");
  command->add_option("--time", a.question.file.time_column, "The column that has the rows' times");
  command->add_option("--since", a.since, "Only rows from then on: a time, or a duration before now like 2d");
  command->add_option("--ignore", a.question.ignored, "Columns to leave out, like identifiers")->delimiter(',');
  command->add_option("--prediction", a.prediction,
                      "The column of the predictions; COLUMN=TRAINING_COLUMN compares them with what was to be "
                      "predicted");
  command->add_option("--label", a.question.label, "The column of what the predictions should have been");
  command->add_option("--tolerance", a.question.tolerance,
                      "A prediction that is a number is right when it is no further from the label");
  command->add_option("--error-rate", a.error_rate,
                      "Share of wrong predictions that is to be expected, like 5%; else that of the scorecards");
  command->add_option("--alpha", a.question.thresholds.alpha, "At most this share of the findings is wrong")
      ->capture_default_str();
  command
      ->add_option("--min-shift", a.question.thresholds.shift,
                   "Smaller shifts of numbers are no drift (training standard deviations)")
      ->capture_default_str();
  command
      ->add_option("--min-correlation", a.question.thresholds.correlation,
                   "Smaller changes of the correlation of two columns are no drift")
      ->capture_default_str();
  command->add_option("--min-rows", a.question.thresholds.min_rows, "Fewer live rows give no verdict (exit 8)")
      ->capture_default_str();
  command->add_flag("--all", a.all, "Show the columns that did not drift as well");
  context.on(command, [context, arguments] { return measure(context, *arguments); });
}

}  // namespace backstay::cli
