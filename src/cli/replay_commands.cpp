#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/json.hpp"
#include "cli/command.hpp"
#include "cli/evidence_chart.hpp"
#include "cli/terminal.hpp"
#include "monitor/explain_rollout.hpp"
#include "services/find_rollout.hpp"
#include "wire/rollout_json.hpp"

/// Commands that look back at a rollout: why it ended so, and what another policy would have done.
namespace backstay::cli {

using nlohmann::json;

namespace {

struct Arguments {
  std::string rollout;
  std::string policy_file;
};

json to_json(const monitor::Crossing& crossing) {
  std::string prediction;
  crossing.prediction.append_hex(prediction);
  return {{"guardrail", crossing.evidence.name},
          {"candidate_outcomes", crossing.outcomes},
          {"after_seconds", std::chrono::duration<double>(crossing.after).count()},
          {"prediction_id", prediction},
          {"evidence", json::parse(wire::to_json(crossing.evidence))}};
}

json to_json(const monitor::Replayed& replayed) {
  json crossings = json::array();
  for (const monitor::Crossing& crossing : replayed.crossings) crossings.push_back(to_json(crossing));
  json guardrails = json::array();
  for (const guardrails::Evidence& evidence : replayed.at_the_end)
    guardrails.push_back(json::parse(wire::to_json(evidence)));
  return {{"candidate_outcomes", replayed.candidate_outcomes},
          {"stable_outcomes", replayed.stable_outcomes},
          {"labels", replayed.labels},
          {"seconds", std::chrono::duration<double>(replayed.lasted).count()},
          {"complete", replayed.recorded.complete},
          {"crossings", std::move(crossings)},
          {"guardrails", std::move(guardrails)}};
}

std::string chart_of(const monitor::Replayed& replayed, const std::string& guardrail) {
  for (std::size_t i = 0; i < replayed.at_the_end.size(); ++i)
    if (replayed.at_the_end[i].name == guardrail)
      return evidence_chart(replayed.courses[i], replayed.at_the_end[i].log_limit);
  return "";
}

Result<ExitCode> why(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY(const rollout::State rollout, services::find_rollout(opened->records().rollouts, a.rollout));
  TRY(const std::vector<audit::Entry> entries, services::entries_of(opened->records().audit, rollout));
  std::optional<monitor::Replayed> replayed;
  auto again = monitor::replay(opened->recordings(), rollout.id, std::nullopt);
  if (again && again->recorded.damaged) {
    // What is left of it would tell another story.
    fmt::print(stderr, "warning: the recording is damaged: {}\n", again->recorded.why_not);
  } else if (again) {
    replayed = *std::move(again);
  } else if (again.error().code != ErrorCode::kNotFound) {
    // The audit log can tell without it.
    fmt::print(stderr, "warning: the recording can't be read: {}\n", again.error().message);
  }
  const monitor::Explanation explanation = monitor::explain(rollout, entries, replayed);
  if (context.common.json) {
    json passages = json::array();
    for (const monitor::Passage& passage : explanation.passages)
      passages.push_back({{"heading", passage.heading}, {"sentences", passage.sentences}});
    print_json({{"rollout", json::parse(wire::to_json(rollout))},
                {"headline", explanation.headline},
                {"passages", std::move(passages)},
                {"replay", replayed ? to_json(*replayed) : json()}});
    return kOk;
  }
  fmt::print("{}\n", coloured(Colour::kBold, explanation.headline));
  for (const monitor::Passage& passage : explanation.passages) {
    fmt::print("\n{}\n", coloured(Colour::kBold, passage.heading));
    for (const std::string& sentence : passage.sentences) fmt::print("  {}\n", sentence);
  }
  if (replayed && !explanation.guardrail.empty())
    fmt::print(
        "\n{}\n{}",
        coloured(Colour::kBold, fmt::format("Evidence against {} of '{}'", rollout.candidate, explanation.guardrail)),
        chart_of(*replayed, explanation.guardrail));
  fmt::print("\n{}", replayed
                         ? fmt::format("check it: backstay replay {}\n", rollout.id)
                         : std::string("There is no recording of this rollout: the evidence is the audit log's.\n"));
  return kOk;
}

/// Prints what a policy does next to what was done.
void print_replay(const rollout::State& rollout, const monitor::Replayed& then, const monitor::Replayed* instead) {
  std::vector<std::vector<std::string>> rows{
      {"POLICY", "GUARDRAIL", "ACTION", "AFTER", "CANDIDATE OUTCOMES", "EVIDENCE"}};
  const auto add = [&](const char* policy, const monitor::Replayed& replayed) {
    for (const monitor::Crossing& c : replayed.crossings)
      rows.push_back({policy, c.evidence.name, guardrails::to_string(c.evidence.action), monitor::length_text(c.after),
                      std::to_string(c.outcomes), fmt::format("{:.3g} to 1", std::exp(c.evidence.log_e))});
    if (replayed.crossings.empty())
      rows.push_back(
          {policy, "-", replayed.recorded.complete ? "none crosses its limit" : "none in what there is", "", "", ""});
  };
  fmt::print("{}: {} outcomes of {}{}, {} labels, in {}\n", rollout.id, then.candidate_outcomes, rollout.candidate,
             rollout.stable.empty() ? "" : fmt::format(", {} of {}", then.stable_outcomes, rollout.stable), then.labels,
             monitor::length_text(then.lasted));
  add("recorded", then);
  if (instead != nullptr) add("instead", *instead);
  fmt::print("{}", table(rows));
}

std::string difference(const monitor::Replayed& then, const monitor::Replayed& instead) {
  const monitor::Crossing* a = monitor::first_crossing(then, guardrails::Action::kRollBack);
  const monitor::Crossing* b = monitor::first_crossing(instead, guardrails::Action::kRollBack);
  if (a == nullptr && b == nullptr) return "Neither policy would have taken the release back.";
  if (a == nullptr)
    return fmt::format("The other policy would have taken the release back after {} ('{}').",
                       monitor::length_text(b->after), b->evidence.name);
  if (b == nullptr) return "The other policy would not have taken the release back by the end of the recording.";
  if (a->after == b->after) return "Both policies take the release back at the same moment.";
  return fmt::format("The other policy would have taken the release back {} {} ({} candidate outcomes in place of {}).",
                     monitor::length_text(std::chrono::abs(b->after - a->after)),
                     b->after < a->after ? "sooner" : "later", b->outcomes, a->outcomes);
}

Result<ExitCode> replay(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY(const rollout::State rollout, services::find_rollout(opened->records().rollouts, a.rollout));
  std::optional<guardrails::Policy> policy;
  if (!a.policy_file.empty()) {
    TRY(const std::string text, read_text(a.policy_file));
    TRY(policy, wire::policy_from_yaml(a.policy_file, text));
    // As an endpoint with this policy would have it.
    if (auto missing = guardrails::missing_failure_guardrail(policy->guardrails))
      policy->guardrails.push_back(*std::move(missing));
  }
  TRY(const monitor::Replayed then, monitor::replay(opened->recordings(), rollout.id, std::nullopt));
  std::optional<monitor::Replayed> instead;
  if (policy) {
    TRY(instead, monitor::replay(opened->recordings(), rollout.id, policy));
  }
  const monitor::Agreement agreement = monitor::compare(rollout, then);
  const bool other = agreement.kind == monitor::Agreement::Kind::kOther;
  const std::string verdict = instead ? difference(then, *instead) : agreement.sentence;
  if (context.common.json) {
    json out{{"rollout", rollout.id}, {"recorded", to_json(then)}, {"same_decision", !other}, {"sentence", verdict}};
    if (instead) out["instead"] = to_json(*instead);
    print_json(out);
  } else {
    print_replay(rollout, then, instead ? &*instead : nullptr);
    if (!other || instead) fmt::print("{}\n", verdict);
  }
  if (then.recorded.damaged)
    return Unexpected(ErrorCode::kIntegrity,
                      fmt::format("The recording of {} is damaged: {}", rollout.id, then.recorded.why_not),
                      "Bring it back from a backup. What was decided is in the audit log: backstay why.");
  if (other && !instead)
    return Unexpected(
        ErrorCode::kIntegrity, agreement.sentence,
        fmt::format("The audit log is sealed, the recording is not: see what decided with backstay why {}.",
                    rollout.id));
  return kOk;
}

}  // namespace

void add_replay_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* command = context.add(context.app, "why", "Why a rollout ended as it did: evidence, chance, timeline",
                                  "backstay why diagnosis-7");
  command->add_option("ROLLOUT", a.rollout, "A rollout, or an endpoint for its latest one")->required();
  context.on(command, [context, arguments] { return why(context, *arguments); });

  command =
      context.add(context.app, "replay", "Decide a rollout again from what was recorded, also with another policy",
                  "backstay replay diagnosis-7 --policy stricter.yaml");
  command->add_option("ROLLOUT", a.rollout, "A rollout, or an endpoint for its latest one")->required();
  command->add_option("--policy", a.policy_file, "Guardrails to decide with instead (YAML, a list `guardrails`)");
  context.on(command, [context, arguments] { return replay(context, *arguments); });
}

}  // namespace backstay::cli
