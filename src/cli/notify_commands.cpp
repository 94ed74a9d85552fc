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

Result<ExitCode> list(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY(const std::vector<DeadLetter> letters, opened->notifications().dead_letters(a.target));
  if (context.common.json) {
    json out = json::array();
    for (const DeadLetter& letter : letters)
      out.push_back({{"target", letter.target},
                     {"audit_sequence", letter.sequence},
                     {"why", letter.why},
                     {"at", to_rfc3339(letter.at)},
                     {"due", letter.due}});
    print_json({{"dead_letters", std::move(out)}});
    return kOk;
  }
  if (letters.empty()) {
    fmt::print("everything was delivered\n");
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
