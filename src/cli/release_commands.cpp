#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/json.hpp"
#include "base/descriptor.hpp"
#include "cli/command.hpp"
#include "cli/control_client.hpp"
#include "cli/status_view.hpp"
#include "cli/terminal.hpp"

/// Commands that talk to the running server.
namespace backstay::cli {

using nlohmann::json;

namespace {

struct Arguments {
  std::string endpoint;
  std::string version;
  std::string reason;
  std::string plan_file;
  std::string to;
  std::string prediction;
  std::string label;  ///< A number or, of a class, its name.
  bool report = false;
  bool conversion = false;
  bool blue_green = false;
  bool force = false;
  bool watch = false;
};

void print_endpoint(const Context& context, const json& endpoint) {
  if (context.common.json) return print_json(endpoint);
  const json& rollout = endpoint["rollout"];
  std::string shares;
  for (const json& arm : endpoint["split"]["arms"])
    shares += fmt::format("{}{} {:g}%", shares.empty() ? "" : ", ", arm["version"].get<std::string>(),
                          arm["share"].get<double>() * 100);
  fmt::print("{}: {}  traffic: {}\n", endpoint["endpoint"].get<std::string>(),
             rollout.is_null() ? "no rollout"
                               : rollout["id"].get<std::string>() + " " + rollout["phase"].get<std::string>() +
                                     (rollout.value("paused", false) ? ", paused" : ""),
             shares.empty() ? "none" : shares);
}

void print_warnings(const json& endpoint) {
  for (const json& warning : endpoint.value("warnings", json::array()))
    fmt::print(stderr, "warning: {}\n", warning.get<std::string>());
}

Result<ExitCode> start(const Context& context, const Arguments& a) {
  json body{
      {"version", a.version}, {"actor", context.common.actor}, {"reason", a.reason}, {"blue_green", a.blue_green}};
  if (a.force) body["force"] = true;
  if (!a.plan_file.empty()) {
    TRY(const std::string plan, read_text(a.plan_file));
    body["plan_yaml"] = plan;
  }
  TRY(const ControlClient client, ControlClient::of(context.common.data_dir));
  TRY(const json endpoint, client.post("/v1/endpoints/" + a.endpoint + "/rollout", body));
  print_endpoint(context, endpoint);
  print_warnings(endpoint);
  if (!context.common.json) fmt::print("follow it with: backstay status --watch\n");
  return kOk;
}

Result<ExitCode> order(const Context& context, const Arguments& a, const std::string& word) {
  TRY(const ControlClient client, ControlClient::of(context.common.data_dir));
  TRY(const json endpoint,
      client.post("/v1/endpoints/" + a.endpoint + "/" + word, {{"actor", context.common.actor}, {"reason", a.reason}}));
  print_endpoint(context, endpoint);
  return kOk;
}

Result<ExitCode> roll_back(const Context& context, const Arguments& a) {
  TRY(const ControlClient client, ControlClient::of(context.common.data_dir));
  json body{{"actor", context.common.actor}, {"reason", a.reason}};
  if (!a.to.empty()) body["to"] = a.to;
  TRY(const json endpoint, client.post("/v1/endpoints/" + a.endpoint + "/rollback", body));
  print_endpoint(context, endpoint);
  print_warnings(endpoint);
  const std::string stable = endpoint["stable"];
  const std::string standby = endpoint["standby"];
  if (!context.common.json && a.to.empty() && !standby.empty())
    fmt::print("{} serves. To leave it for {} as well: backstay rollback {} --to {} --reason \"...\"\n", stable,
               standby, a.endpoint, standby);
  return kOk;
}

Result<ExitCode> status(const Context& context, const Arguments& a) {
  TRY(const ControlClient client, ControlClient::of(context.common.data_dir));
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  if (a.watch) sigprocmask(SIG_BLOCK, &signals, nullptr);
  const Descriptor stop(a.watch ? signalfd(-1, &signals, SFD_CLOEXEC) : -1);
  while (true) {
    TRY(const json now, client.get("/v1/status"));
    if (context.common.json) {
      fmt::print("{}\n", api::dump(now, a.watch ? -1 : 2));
    } else {
      const bool screen = a.watch && is_terminal(STDOUT_FILENO);
      fmt::print("{}{}", screen ? "\033[H\033[2J" : "", status_view(now));
    }
    std::fflush(stdout);
    pollfd interrupt{stop.get(), POLLIN, 0};
    constexpr int kRefreshMilliseconds = 500;
    if (!a.watch || poll(&interrupt, 1, kRefreshMilliseconds) > 0) return kOk;
  }
}

Result<ExitCode> feedback(const Context& context, const Arguments& a) {
  TRY(const ControlClient client, ControlClient::of(context.common.data_dir));
  json item{{"prediction_id", a.prediction}};
  double number = 0;
  const auto [end, problem] = std::from_chars(a.label.data(), a.label.data() + a.label.size(), number);
  const bool is_number = problem == std::errc{} && end == a.label.data() + a.label.size();
  const json value = is_number ? json(number) : json(a.label);
  const char* list = a.report ? "reports" : a.conversion ? "conversions" : "labels";
  if (a.report || a.conversion) {
    if (!a.label.empty() && !is_number)
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a number.", a.label),
                        "A report may have a severity, a conversion a value.");
    if (!a.label.empty()) item[a.report ? "severity" : "value"] = value;
  } else {
    if (a.label.empty())
      return Unexpected(ErrorCode::kInvalidArgument, "The label is missing.",
                        "Say what the prediction should have been, or write --report or --conversion.");
    item["label"] = value;
  }
  TRY(const json result, client.post("/v1/feedback", {{list, {item}}}));
  if (context.common.json) {
    print_json(result);
  } else {
    fmt::print("{}\n", result["joined"] == 1       ? "joined"
                       : result["duplicates"] == 1 ? "this prediction has one already"
                                                   : "unknown: not predicted here, or too long ago");
  }
  return result["unknown"] == 1 ? kNotFound : kOk;
}

}  // namespace

void add_release_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  const auto with_reason = [&](CLI::App* command, bool required) {
    command->add_option("ENDPOINT", a.endpoint, "The endpoint")->required();
    CLI::Option* reason = command->add_option("--reason", a.reason, "Why, for the audit log");
    if (required) reason->required();
  };

  CLI::App* rollout = context.app.add_subcommand("rollout", "Move an endpoint to another version, step by step");
  rollout->require_subcommand(1);
  CLI::App* command = context.add(*rollout, "start", "Start a rollout (canary at 5% unless a plan says otherwise)",
                                  "backstay rollout start diagnosis breast-cancer@1.1.0 --reason \"site C added\"");
  with_reason(command, false);
  command->add_option("VERSION", a.version, "The candidate, MODEL@X.Y.Z")->required();
  command->add_option("--plan", a.plan_file, "Steps for this rollout (YAML) in place of the endpoint's");
  command->add_flag("--blue-green", a.blue_green, "Everything at once as soon as it is ready")->excludes("--plan");
  command->add_flag("--force", a.force, "Although it was taken back often of late; takes a --reason");
  context.on(command, [context, arguments] { return start(context, *arguments); });

  for (const auto& [word, help] : {std::pair{"pause", "Stay at the current step"}, std::pair{"resume", "Go on"},
                                   std::pair{"approve", "Say that the step which waits for a person may begin"},
                                   std::pair{"promote", "Skip what is left of the steps"}}) {
    command = context.add(*rollout, word, help, fmt::format("backstay rollout {} diagnosis --reason \"...\"", word));
    with_reason(command, false);
    context.on(command, [context, arguments, name = std::string(word)] { return order(context, *arguments, name); });
  }

  command =
      context.add(context.app, "rollback", "Take the candidate back now; without a rollout: return to the standby",
                  "backstay rollback diagnosis --reason \"complaints from ward 3\"");
  with_reason(command, true);
  command->add_option("--to", a.to, "The version to return to: stable during a rollout, else the standby");
  context.on(command, [context, arguments] { return roll_back(context, *arguments); });

  command =
      context.add(context.app, "status", "What serves, at what share, with what evidence", "backstay status --watch");
  command->add_flag("--watch", a.watch, "Refresh until interrupted");
  context.on(command, [context, arguments] { return status(context, *arguments); });

  command = context.add(context.app, "feedback", "Tell what a prediction should have been",
                        "backstay feedback 5f2e9c0d4b7a41c6a3d8e1f00b9c7d21 1");
  command->add_option("PREDICTION", a.prediction, "The Backstay-Prediction-Id of the answer")->required();
  command->add_option("LABEL", a.label, "1 or 0, a value, or a class by its name");
  CLI::Option* report = command->add_flag("--report", a.report, "A user complained about the answer");
  command->add_flag("--conversion", a.conversion, "A user did what was hoped for")->excludes(report);
  context.on(command, [context, arguments] { return feedback(context, *arguments); });
}

}  // namespace backstay::cli
