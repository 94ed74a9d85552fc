#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command.hpp"
#include "cli/forecast_view.hpp"
#include "cli/terminal.hpp"
#include "domain/guardrails/forecast.hpp"
#include "monitor/guardrail_watch.hpp"
#include "wire/policy_templates.hpp"
#include "wire/rollout_json.hpp"

/// Commands about guardrails before a release. They need neither a registry nor a server.
namespace backstay::cli {

using guardrails::Forecast;
using guardrails::GuardrailSpec;
using guardrails::Policy;
using nlohmann::json;

namespace {

constexpr std::uint64_t kMostRuns = 100'000;

struct Arguments {
  std::string file;
  std::string guardrail;
  std::string baseline;
  std::string effect;
  std::string weight = "5%";
  std::string judged = "100%";
  std::string step = "10m";
  std::string delay = "0s";
  double rate = 100;
  double spread = 0;
  std::string covariate_r2;
  std::uint64_t runs = 1'000;
  std::uint64_t seed = 1;
  std::string kind;
};

Result<Policy> read_policy_file(const std::string& path) {
  TRY(const std::string text, read_text(path));
  return wire::policy_from_yaml(path, text);
}

Unexpected refuse(const std::string& option, const std::string& text, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} '{}' is not understood.", option, text),
                    std::move(hint));
}

Result<double> read_share(const char* option, const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  const std::string rest = end;
  if (end == text.c_str() || (!rest.empty() && rest != "%")) return refuse(option, text, "Write it like 5% or 0.05.");
  if (rest == "%") value /= 100;
  return value;
}

Result<double> read_seconds(const char* option, const std::string& text) {
  const auto duration = parse_duration(text);
  if (!duration) return refuse(option, text, duration.error().hint);
  return static_cast<double>(duration->count()) / 1e3;
}

struct Level {
  double value = 0;
  bool duration = false;
};
// 0.98, 98%, or a latency like 20ms.
Result<Level> read_level(const char* option, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() && *end == '\0') return Level{value, false};
  if (end != text.c_str() && std::string_view(end) == "%") return Level{value / 100, false};
  const auto duration = parse_duration(text);
  if (!duration) return refuse(option, text, "Write a share or mean like 0.98 or 98%, or a latency like 20ms.");
  return Level{static_cast<double>(duration->count()) / 1e3, true};
}

// Those that measure what the levels are levels of.
Result<std::vector<GuardrailSpec>> asked(const Policy& policy, const Arguments& a, const Level& level) {
  std::vector<GuardrailSpec> out;
  std::string names;
  for (const GuardrailSpec& spec : policy.guardrails) {
    names += (names.empty() ? "" : ", ") + spec.name;
    const bool latency = guardrails::is_duration(spec.signal.kind);
    const bool fits = latency ? level.duration : !level.duration && guardrails::measures_share(spec);
    if (a.guardrail.empty() ? fits : spec.name == a.guardrail) out.push_back(spec);
  }
  if (!out.empty() && !a.guardrail.empty() && guardrails::is_duration(out[0].signal.kind) != level.duration)
    return refuse("--baseline", a.baseline,
                  level.duration ? "This guardrail doesn't measure latency; write a number like 0.98."
                                 : "This guardrail measures latency; write it like 20ms.");
  if (out.empty() && !a.guardrail.empty())
    return Unexpected(ErrorCode::kNotFound, fmt::format("{} has no guardrail '{}'.", a.file, a.guardrail),
                      fmt::format("It has: {}.", names));
  if (out.empty())
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("{} has no guardrail that measures {}.", a.file,
                                  level.duration ? "latency" : "a share of good outcomes"),
                      fmt::format("Name one with --guardrail: {}.", names));
  return out;
}

// For a guardrail that measures something else than what the levels are levels of.
std::string how_to_ask(const GuardrailSpec& spec) {
  if (guardrails::is_duration(spec.signal.kind)) return "It measures latency: give --baseline and --effect like 20ms.";
  if (guardrails::measures_share(spec)) return "It measures a share: give --baseline and --effect like 98%.";
  return fmt::format("It measures a value with levels of its own: name it with --guardrail {}.", spec.name);
}

// What the covariates of those that are simulated explain; none: nothing was said of it.
Result<std::optional<double>> read_covariate_r2(const Arguments& a, const std::vector<GuardrailSpec>& specs) {
  std::optional<double> out;
  if (a.covariate_r2.empty()) return out;
  TRY(out, read_share("--covariate-r2", a.covariate_r2));
  if (!(*out >= 0 && *out < 1))
    return refuse("--covariate-r2", a.covariate_r2, "It is a share from 0 to less than 1, like 60% or 0.6.");
  if (std::none_of(specs.begin(), specs.end(), [](const GuardrailSpec& spec) { return spec.covariate.given(); }))
    return Unexpected(ErrorCode::kInvalidArgument, "No guardrail that is simulated has a covariate.",
                      "Leave --covariate-r2 out, or name a guardrail that has one with --guardrail.");
  return out;
}

Result<ExitCode> simulate(const Context& context, const Arguments& a) {
  TRY(const Policy policy, read_policy_file(a.file));
  TRY(const Level baseline, read_level("--baseline", a.baseline));
  TRY(const Level effect, read_level("--effect", a.effect));
  if (baseline.duration != effect.duration)
    return refuse("--effect", a.effect, "Give --baseline and --effect both as numbers or both as durations.");
  guardrails::TrafficForecast traffic;
  traffic.requests_per_second = a.rate;
  TRY(traffic.weight, read_share("--weight", a.weight));
  TRY(traffic.judged, read_share("--judged", a.judged));
  TRY(traffic.seconds, read_seconds("--for", a.step));
  TRY(traffic.delay_seconds, read_seconds("--delay", a.delay));
  if (a.runs == 0 || a.runs > kMostRuns)
    return refuse("--runs", std::to_string(a.runs), fmt::format("It is from 1 to {}.", kMostRuns));
  TRY(const std::vector<GuardrailSpec> specs, asked(policy, a, baseline));
  // What an endpoint adds shares the family's alpha.
  Policy whole = policy;
  if (auto added = guardrails::missing_failure_guardrail(policy.guardrails)) whole.guardrails.push_back(*added);
  TRY(const std::optional<double> explained, read_covariate_r2(a, specs));

  json all = json::array();
  json left_out = json::array();
  std::string text;
  bool enough = true;
  for (const GuardrailSpec& spec : specs) {
    const bool explains = spec.covariate.given() && explained;
    const ForecastQuestion question{spec,
                                    guardrails::alpha_of(whole, spec),
                                    {baseline.value, effect.value, a.spread, explains ? explained : std::nullopt},
                                    traffic};
    TRY(const Forecast found,
        guardrails::forecast(spec, question.alpha, question.expectation, traffic, a.seed, a.runs));
    enough &= found.verdict == Forecast::Verdict::kEnough;
    all.push_back(to_json(question, found));
    text += (text.empty() ? "" : "\n") + forecast_text(question, found, true);
    if (spec.covariate.given() && !explained)
      text +=
          "Its covariate is not simulated, which makes it faster: say with --covariate-r2 what share it explains.\n";
  }
  for (const GuardrailSpec& spec : policy.guardrails) {
    if (!a.guardrail.empty() || std::find(specs.begin(), specs.end(), spec) != specs.end()) continue;
    const std::string how = how_to_ask(spec);
    left_out.push_back({{"guardrail", spec.name}, {"how", how}});
    text += fmt::format("{}Not simulated: {}. {}\n", left_out.size() == 1 ? "\n" : "", spec.name, how);
  }
  if (context.common.json) {
    print_json(
        {{"policy", a.file}, {"seed", a.seed}, {"guardrails", std::move(all)}, {"not_simulated", std::move(left_out)}});
  } else {
    fmt::print("{}", text);
  }
  return enough ? kOk : kGateInsufficient;
}

/// "/price of the request"; empty: there is none.
std::string name_of(const guardrails::Value& covariate) {
  if (!covariate.given()) return "";
  if (!covariate.header.empty()) return "header " + covariate.header + " of the request";
  return (covariate.tensor.empty() ? covariate.json_pointer : "tensor " + covariate.tensor) + " of the request";
}

Result<ExitCode> check(const Context& context, const Arguments& a) {
  TRY(Policy policy, read_policy_file(a.file));
  const std::optional<GuardrailSpec> added = guardrails::missing_failure_guardrail(policy.guardrails);
  if (added) policy.guardrails.push_back(*added);
  TRY_DO(monitor::plan_values(policy.guardrails));
  std::vector<std::vector<std::string>> rows{{"GUARDRAIL", "TEST", "ALPHA", "ACTION", "COVARIATE"}};
  json all = json::array();
  for (const GuardrailSpec& spec : policy.guardrails) {
    const char* test = guardrails::to_string(guardrails::chosen_test(spec));
    const double alpha = guardrails::alpha_of(policy, spec);
    const std::string covariate = name_of(spec.covariate);
    rows.push_back({spec.name, test, fmt::format("{:.4g}", alpha), guardrails::to_string(spec.action), covariate});
    all.push_back({{"guardrail", spec.name},
                   {"test", test},
                   {"alpha", alpha},
                   {"restart_every", spec.restarts.every},
                   {"action", guardrails::to_string(spec.action)}});
    if (!covariate.empty()) all.back()["covariate"] = covariate;
    if (added && spec.name == added->name) all.back()["added"] = true;
  }
  if (context.common.json) {
    print_json({{"policy", a.file}, {"guardrails", std::move(all)}});
  } else {
    fmt::print("{}", table(rows));
    if (added)
      fmt::print(
          "'{}' is not in {}: an endpoint adds it, since nothing else there sees a version that fails. Write a "
          "guardrail of kind error to say otherwise.\n",
          added->name, a.file);
  }
  return kOk;
}

Result<ExitCode> print_template(const Context& context, const Arguments& a) {
  const auto& all = wire::policy_templates();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& item) { return item.name == a.kind; });
  std::vector<std::string> names;
  std::string known;
  for (const wire::PolicyTemplate& item : all) {
    names.emplace_back(item.name);
    known += (known.empty() ? "" : ", ") + std::string(item.name);
  }
  if (found == all.end()) {
    const auto meant = wire::nearest(a.kind, names);
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no template '{}'.", a.kind),
                      meant ? fmt::format("Did you mean {}?", *meant) : fmt::format("There are: {}.", known));
  }
  if (context.common.json) {
    print_json({{"name", std::string(found->name)},
                {"about", std::string(found->about)},
                {"policy", std::string(found->text)}});
  } else {
    fmt::print("{}", found->text);
  }
  return kOk;
}

}  // namespace

void add_guardrail_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* group = context.app.add_subcommand("guardrail", "Write, check and try out guardrails before a release");
  group->require_subcommand(1);

  CLI::App* command = context.add(
      *group, "simulate", "How soon a policy finds a bad release, and how often it takes a good one back",
      "backstay guardrail simulate policy.yaml --baseline 0.98 --effect 0.93 --rate 100 --weight 5% --for 10m");
  command->add_option("POLICY", a.file, "File with guardrails; - is standard input")->required();
  command
      ->add_option("--baseline", a.baseline,
                   "Share of good outcomes (98%, 0.98), or mean, or median latency (20ms), on stable")
      ->required();
  command->add_option("--effect", a.effect, "The same on the bad candidate, so a worse one")->required();
  command->add_option("--guardrail", a.guardrail, "Only this one (default: all that measure such a thing)");
  command->add_option("--rate", a.rate, "Requests per second of the endpoint")->capture_default_str();
  command->add_option("--weight", a.weight, "The candidate's share")->capture_default_str();
  command->add_option("--for", a.step, "How long the step lasts")->capture_default_str();
  command->add_option("--judged", a.judged, "Share of the requests that get a label, or are in the segment")
      ->capture_default_str();
  command->add_option("--delay", a.delay, "From the request to its label")->capture_default_str();
  command->add_option("--spread", a.spread, "Standard deviation of a value (default: half of the widest, or the mean)");
  command->add_option("--covariate-r2", a.covariate_r2,
                      "Share of a value's variance that the guardrail's covariate explains (60%, 0.6); default: none");
  command->add_option("--runs", a.runs, "Simulated releases of each kind")->capture_default_str();
  command->add_option("--seed", a.seed, "The same seed gives the same answer")->capture_default_str();
  context.on(command, [context, arguments] { return simulate(context, *arguments); });

  command = context.add(*group, "check", "Validate a policy and say which test each guardrail has",
                        "backstay guardrail check policy.yaml");
  command->add_option("POLICY", a.file, "File with guardrails; - is standard input")->required();
  context.on(command, [context, arguments] { return check(context, *arguments); });

  command =
      context.add(*group, "template", "Print a policy to start from", "backstay guardrail template llm > policy.yaml");
  command->add_option("KIND", a.kind, "classification, regression, ranking, llm or imaging")->required();
  context.on(command, [context, arguments] { return print_template(context, *arguments); });
}

}  // namespace backstay::cli
