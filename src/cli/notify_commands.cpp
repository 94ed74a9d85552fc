#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/terminal.hpp"

/// Commands about notifications: what could not be delivered, and trying a target.
namespace backstay::cli {

using nlohmann::json;

namespace {

struct Arguments {
  std::string target;
  std::string config;
};

/// kNotFound when a server never had a target of that name.
Result<void> check_name(const NotificationStore& notifications, const std::string& name) {
  if (name.empty()) return {};
  TRY(const std::vector<ToldTarget> targets, notifications.targets());
  std::vector<std::string> names;
  for (const ToldTarget& target : targets) {
    if (target.name == name) return {};
    if (target.name.front() != '(') names.push_back(target.name);
  }
  return Unexpected(ErrorCode::kNotFound, fmt::format("There is no notification target '{}'.", name),
                    names.empty() ? "No server with notifications was started on this registry yet."
                                  : fmt::format("There are: {}.", fmt::join(names, ", ")));
}

Result<ExitCode> list(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  NotificationStore& notifications = opened->notifications();
  TRY_DO(check_name(notifications, a.target));
  TRY(const std::vector<DeadLetter> letters, notifications.dead_letters(a.target));
  TRY(const std::vector<ToldTarget> targets, notifications.targets());
  json troubles = json::array();
  for (const ToldTarget& target : targets)
    if (!target.trouble.empty() && (a.target.empty() || target.name == a.target))
      troubles.push_back({{"target", target.name}, {"trouble", target.trouble}});
  if (context.common.json) {
    json out = json::array();
    for (const DeadLetter& letter : letters)
      out.push_back({{"target", letter.target},
                     {"audit_sequence", letter.sequence},
                     {"why", letter.why},
                     {"at", to_rfc3339(letter.at)},
                     {"due", letter.due}});
    print_json({{"dead_letters", std::move(out)}, {"being_tried", std::move(troubles)}});
    return kOk;
  }
  for (const json& trouble : troubles)
    fmt::print("{} is being tried again: {}\n", trouble["target"].get<std::string>(),
               trouble["trouble"].get<std::string>());
  if (letters.empty()) {
    if (troubles.empty()) fmt::print("everything was delivered\n");
    return kOk;
  }
  std::vector<std::vector<std::string>> rows{{"TARGET", "AUDIT ENTRY", "GIVEN UP AT", "", "WHY"}};
  for (const DeadLetter& letter : letters)
    rows.push_back({letter.target, std::to_string(letter.sequence), to_rfc3339(letter.at).substr(0, 19) + "Z",
                    letter.due ? "to be sent again" : "", letter.why});
  fmt::print("{}", table(rows));
  fmt::print("have them sent again: backstay notify retry\n");
  return kOk;
}

Result<ExitCode> retry(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY_DO(check_name(opened->notifications(), a.target));
  TRY(const std::uint64_t due, opened->notifications().make_due(a.target));
  if (context.common.json) {
    print_json({{"due", due}});
  } else {
    fmt::print("{}\n", due == 0 ? std::string("there is nothing to send again")
                                : fmt::format("{} to be sent again by the server within seconds", due));
  }
  return kOk;
}

Result<ExitCode> test(const Context& context, const Arguments& a) {
  TRY_DO(context.program.test_notification(a.config, a.target));
  if (context.common.json) {
    print_json({{"target", a.target}, {"delivered", true}});
  } else {
    fmt::print("delivered to {}\n", a.target);
  }
  return kOk;
}

}  // namespace

void add_notify_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* notify = context.app.add_subcommand("notify", "Who is told of releases: webhooks, Slack, PagerDuty, mail");
  notify->require_subcommand(1);
  CLI::App* command = context.add(*notify, "list", "What could not be delivered", "backstay notify list");
  command->add_option("TARGET", a.target, "Only this target's");
  context.on(command, [context, arguments] { return list(context, *arguments); });

  command = context.add(*notify, "retry", "Have it sent again", "backstay notify retry ops");
  command->add_option("TARGET", a.target, "Only this target's");
  context.on(command, [context, arguments] { return retry(context, *arguments); });

  command =
      context.add(*notify, "test", "Send a target a message now", "backstay notify test --config backstay.yaml ops");
  command->add_option("--config", a.config, "The server's configuration (YAML)")->required();
  command->add_option("TARGET", a.target, "Its name in the configuration")->required();
  context.on(command, [context, arguments] { return test(context, *arguments); });
}

}  // namespace backstay::cli
