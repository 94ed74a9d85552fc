#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/drift_json.hpp"
#include "cli/live_source.hpp"
#include "cli/progress.hpp"
#include "cli/terminal.hpp"
#include "services/measure_drift.hpp"
#include "services/suggest_version.hpp"

/// Which stored version fits what a model is asked about now.
namespace backstay::cli {

namespace {

struct Arguments {
  std::string target;
  bool lower_is_better = false;
  bool higher_is_better = false;
  services::LiveFile live;
  std::string since;
  std::string path;
  std::string segment;
  services::SuggestQuestion question;
};

std::string expected_text(const std::optional<drift::Expected>& value, bool share) {
  if (!value) return "not measured";
  return fmt::format("{} [{}, {}]", drift::metric_text(value->value, share), drift::metric_text(value->lower, share),
                     drift::metric_text(value->upper, share));
}

std::string against(const drift::Expected& then, const drift::Expected& now, bool share) {
  if (share)
    return fmt::format("{:.2f} [{:.2f}, {:.2f}] against {:.2f} now", then.value, then.lower, then.upper, now.value);
  return fmt::format("{} against {} now", expected_text(then, share), drift::metric_text(now.value, share));
}

void print_table(const services::Advice& advice) {
  std::vector<std::vector<std::string>> rows{{"VERSION", "EXPECTED " + advice.metric, "DISTANCE", "TRAINED ON"}};
  for (const drift::Ranked& each : advice.suggestion.ranking) {
    const services::Considered& version = advice.considered[each.contender];
    rows.push_back({version.ref.version.str() + (each.contender == 0 ? " (now)" : ""),
                    expected_text(each.expected, advice.scale.share),
                    each.distance ? fmt::format("{:.3f}", *each.distance) : "",
                    fmt::format("{}{}", fmt::join(version.slices, ", "), version.archived ? " (archived)" : "")});
  }
  fmt::print("{}", table(rows));
}

void print_mixture(const services::Advice& advice) {
  if (advice.slices.empty() || advice.mixture.columns == 0) return;
  std::string parts;
  for (std::size_t i = 0; i < advice.slices.size(); ++i)
    if (advice.mixture.weights[i] >= 0.005)
      parts +=
          fmt::format("{}{:.0f}% {}", parts.empty() ? "" : ", ", 100 * advice.mixture.weights[i], advice.slices[i]);
  fmt::print("the live data looks like {} (unexplained: {:.2f})\n", parts, advice.mixture.unexplained);
}

void print_advice(const Context& context, const Arguments& a, const services::Advice& advice) {
  print_table(advice);
  print_mixture(advice);
  for (const auto& each : advice.excluded)
    fmt::print("{}\n", coloured(Colour::kDim, fmt::format("left out: {}: {}", each.ref.str(), each.why)));
  if (!advice.note.empty()) fmt::print("{}\n", coloured(Colour::kYellow, "note: " + advice.note));
  const drift::Suggestion& found = advice.suggestion;
  if (!found.best) {
    fmt::print("\n{} {}\n", coloured(found.enough ? Colour::kGreen : Colour::kYellow, "no other version is suggested:"),
               found.reason);
    return;
  }
  const services::Considered& best = advice.considered[*found.best];
  const drift::Ranked& first = found.ranking.front();
  std::string expected;
  for (const drift::Ranked& each : found.ranking)
    if (each.contender == 0 && each.expected && first.expected)
      expected =
          fmt::format(", expected {} {}", advice.metric, against(*first.expected, *each.expected, advice.scale.share));
  fmt::print("\n{} trained on {}{}\n  {}\n",
             coloured(Colour::kBold, fmt::format("switch to {}:", best.ref.version.str())),
             fmt::join(best.slices, ", "), expected, found.reason);
  const std::string reason = "--reason 'fits the live data better'";
  if (best.archived) fmt::print("    backstay restore {} {}{}\n", best.ref.str(), reason, context.data_dir_option());
  if (!a.question.endpoint.empty())
    fmt::print("    backstay rollout start {} {} {}{}\n", a.question.endpoint, best.ref.str(), reason,
               context.data_dir_option());
}

Result<ExitCode> suggest(const Context& context, const Arguments& given) {
  Arguments a = given;
  a.live.path = a.path;
  if (a.lower_is_better) a.question.better = registry::Better::kLower;
  if (a.higher_is_better) a.question.better = registry::Better::kHigher;
  if (!a.live.time_column.empty()) a.question.ignored.insert(a.live.time_column);
  if (!a.since.empty()) {
    TRY(a.live.since, since_of(a.since));
  }
  TRY(const auto opened, context.open());
  const services::Records records = opened->records();
  TRY(a.question.current, services::version_in_use(records, a.target));
  TRY(const std::optional<EndpointRecord> endpoint, records.rollouts.endpoint(a.target));
  if (endpoint) a.question.endpoint = a.target;
  drift::Profile live;
  if (a.path.empty()) {
    TRY(const services::LivePeriod period, period_of(*opened, a.target, a.question.current, a.segment, a.live.since));
    live = period.profile;
  } else {
    TRY(const services::LiveRows rows, services::read_live_rows(a.live, {}, progress_on_terminal(Unit::kBytes)));
    live = rows.profile;
    a.question.know_ignored = true;
  }
  TRY(const services::Advice advice, services::suggest_version(opened->registry(), records, a.question, live));
  if (context.common.json) {
    print_json(api::to_json(advice));
  } else {
    print_advice(context, a, advice);
  }
  return advice.suggestion.enough ? kOk : kGateInsufficient;
}

}  // namespace

void add_suggest_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* command = context.add(
      context.app, "suggest", "Which version fits the live data; exit 8 when there is too little to tell by",
      "backstay suggest diagnosis --live last-week.csv\n  backstay suggest breast-cancer@2.0.0 --live "
      "last-week.csv --metric sensitivity");
  command->add_option("TARGET", a.target, "An endpoint, a model (its production version), or the version in use")
      ->required();
  command->add_option("--live", a.path,
                      "A table of rows that the model was asked about (CSV, JSON Lines, Parquet, Arrow); without it, "
                      "what the gateway kept of "
                      "the endpoint's requests");
  command->add_option("--segment", a.segment,
                      "Of what the gateway kept: only requests with this value in the segment "
                      "column");
  command->add_option("--metric", a.question.metric,
                      "What versions are ranked by: a metric of the scorecards; else accuracy");
  CLI::Option* lower =
      command->add_flag("--lower-is-better", a.lower_is_better, "Of a metric whose name does not tell: it is an error");
  command->add_flag("--higher-is-better", a.higher_is_better, "Of a metric whose name does not tell: it is a merit")
      ->excludes(lower);
  command->add_option("--time", a.live.time_column, "The column that has the rows' times");
  command->add_option("--since", a.since, "Only rows from then on: a time, or a duration before now like 2d");
  command->add_option("--ignore", a.question.ignored, "Columns to leave out, like identifiers and labels")
      ->delimiter(',');
  command->add_option("--min-rows", a.question.rules.min_rows, "Fewer live rows tell nothing")->capture_default_str();
  context.on(command, [context, arguments] { return suggest(context, *arguments); });
}

}  // namespace backstay::cli
