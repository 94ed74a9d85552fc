#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "wire/notice.hpp"

/// Commands about notifications: what waits, what could not be delivered, and trying a target.
namespace backstay::cli {

using nlohmann::json;

namespace {

struct Arguments {
  std::string target;
  std::string config;
};

/// No name that a configuration can give: what the server prints.
bool is_inner(const ToldTarget& target) {
  return target.name.front() == '(';
}

/// kNotFound when a server never had a target of that name.
Result<void> check_name(const NotificationStore& notifications, const std::string& name) {
  if (name.empty()) return {};
  TRY(const std::vector<ToldTarget> targets, notifications.targets());
  std::vector<std::string> names;
  for (const ToldTarget& target : targets) {
    if (target.name == name) return {};
    if (!is_inner(target)) names.push_back(target.name);
  }
  return Unexpected(ErrorCode::kNotFound, fmt::format("There is no notification target '{}'.", name),
                    names.empty() ? "No server with notifications was started on this registry yet."
                                  : fmt::format("There are: {}.", fmt::join(names, ", ")));
}

std::string second(Timestamp at) {
  return to_rfc3339(at).substr(0, 19) + "Z";
}

/// What a target has to be told yet.
struct Waiting {
  std::string target;
  wire::Notice notice;
};

/// In the order in which it is sent, after the dead letters that are due.
Result<std::vector<Waiting>> waiting_for(const AuditLog& audit, const ToldTarget& target) {
  constexpr std::size_t kPage = 256;
  std::vector<Waiting> out;
  for (std::uint64_t next = target.told_up_to + 1;;) {
    TRY(const std::vector<audit::Entry> page, audit.read(next, kPage));
    for (const audit::Entry& entry : page) {
      const std::optional<wire::Notice> notice = wire::notice_of(entry);
      if (notice && std::find(target.events.begin(), target.events.end(), notice->event) != target.events.end())
        out.push_back({target.name, *notice});
    }
    if (page.size() < kPage) return out;
    next = page.back().sequence + 1;
  }
}

/// Everything that is still to be delivered, or could not be.
struct Standing {
  std::vector<ToldTarget> targets;  ///< Of the configuration of the server that started last, and no others.
  std::vector<Waiting> waiting;
  std::vector<DeadLetter> letters;
};

Result<Standing> look(OpenRegistry& opened, const std::string& name) {
  Standing out;
  TRY(out.letters, opened.notifications().dead_letters(name));
  TRY(const std::vector<ToldTarget> all, opened.notifications().targets());
  for (const ToldTarget& target : all) {
    if (is_inner(target) || !target.served || (!name.empty() && target.name != name)) continue;
    out.targets.push_back(target);
    TRY(std::vector<Waiting> waiting, waiting_for(opened.records().audit, target));
    std::move(waiting.begin(), waiting.end(), std::back_inserter(out.waiting));
  }
  return out;
}

json to_json(const Standing& standing) {
  json letters = json::array();
  for (const DeadLetter& letter : standing.letters)
    letters.push_back({{"target", letter.target},
                       {"audit_sequence", letter.sequence},
                       {"why", letter.why},
                       {"at", to_rfc3339(letter.at)},
                       {"due", letter.due}});
  json waiting = json::array();
  for (const auto& [target, notice] : standing.waiting)
    waiting.push_back({{"target", target},
                       {"audit_sequence", notice.sequence},
                       {"event", notice.event},
                       {"headline", wire::headline(notice)},
                       {"since", to_rfc3339(notice.at)}});
  json tried = json::array();
  for (const ToldTarget& target : standing.targets)
    if (const auto& trouble = target.trouble)
      tried.push_back({{"target", target.name},
                       {"audit_sequence", trouble->sequence},
                       {"why", trouble->why},
                       {"tries", trouble->tries},
                       {"since", to_rfc3339(trouble->since)},
                       {"next_try", to_rfc3339(trouble->next_try)}});
  return {{"being_tried", std::move(tried)}, {"waiting", std::move(waiting)}, {"dead_letters", std::move(letters)}};
}

void print_waiting(const std::vector<Waiting>& waiting) {
  constexpr std::size_t kShown = 50;
  if (waiting.empty()) return;
  std::vector<std::vector<std::string>> rows{{"TARGET", "AUDIT ENTRY", "WAITS SINCE", "WHAT"}};
  for (std::size_t i = 0; i < std::min(waiting.size(), kShown); ++i)
    rows.push_back({waiting[i].target, std::to_string(waiting[i].notice.sequence), second(waiting[i].notice.at),
                    wire::headline(waiting[i].notice)});
  fmt::print("{}", table(rows));
  if (waiting.size() > kShown) fmt::print("and {} more (--json gives all)\n", waiting.size() - kShown);
}

void print_letters(const std::vector<DeadLetter>& letters) {
  if (letters.empty()) return;
  std::vector<std::vector<std::string>> rows{{"TARGET", "AUDIT ENTRY", "GIVEN UP AT", "", "WHY"}};
  for (const DeadLetter& letter : letters)
    rows.push_back({letter.target, std::to_string(letter.sequence), letter.due ? "" : second(letter.at),
                    letter.due ? "to be sent again" : "", letter.why});
  fmt::print("{}", table(rows));
  fmt::print("have them sent again: backstay notify retry\n");
}

Result<ExitCode> list(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY_DO(check_name(opened->notifications(), a.target));
  TRY(const Standing standing, look(*opened, a.target));
  if (context.common.json) {
    json out = to_json(standing);
    out["server_runs"] = opened->server_runs();
    print_json(out);
    return kOk;
  }
  for (const ToldTarget& target : standing.targets)
    if (const auto& trouble = target.trouble)
      fmt::print("{} is being tried again: audit entry {}, tried {} time{} since {}, next try {}: {}\n", target.name,
                 trouble->sequence, trouble->tries, trouble->tries == 1 ? "" : "s", second(trouble->since),
                 second(trouble->next_try), trouble->why);
  const bool anything = !standing.waiting.empty() || !standing.letters.empty();
  if (anything && !opened->server_runs())
    fmt::print("no server runs on this registry: nothing is sent until one does\n");
  print_waiting(standing.waiting);
  print_letters(standing.letters);
  if (!anything) fmt::print("everything was delivered\n");
  return kOk;
}

Result<ExitCode> retry(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  NotificationStore& notifications = opened->notifications();
  TRY_DO(check_name(notifications, a.target));
  TRY(const std::uint64_t due, notifications.make_due(a.target, system_clock().now()));
  TRY(const Standing standing, look(*opened, a.target));
  const bool runs = opened->server_runs();
  std::set<std::string> idle;  // Targets whose letters nobody sends.
  for (const DeadLetter& letter : standing.letters) {
    const auto& served = standing.targets;
    const bool is_served =
        std::any_of(served.begin(), served.end(), [&](const auto& t) { return t.name == letter.target; });
    if (!runs || !is_served) idle.insert(letter.target);
  }
  if (context.common.json) {
    print_json({{"due", due}, {"waiting", standing.waiting.size()}, {"not_served", idle}, {"server_runs", runs}});
    return kOk;
  }
  const std::size_t waiting = standing.waiting.size();
  if (due == 0 && waiting == 0) {
    fmt::print("there is nothing to send again\n");
    return kOk;
  }
  fmt::print("{} to be sent again{}{}\n", due, waiting > 0 ? fmt::format(", {} that wait", waiting) : "",
             runs && idle.empty() ? ": the server tries it within seconds" : "");
  if (!runs) {
    fmt::print("no server runs on this registry: nothing is sent until one does\n");
  } else if (!idle.empty()) {
    fmt::print("the running server does not have {}: what is for {} is sent by one that has\n", fmt::join(idle, ", "),
               idle.size() == 1 ? "it" : "them");
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
  CLI::App* command =
      context.add(*notify, "list", "What waits to be delivered, since when and when it is tried; what was given up",
                  "backstay notify list");
  command->add_option("TARGET", a.target, "Only this target's");
  context.on(command, [context, arguments] { return list(context, *arguments); });

  command = context.add(*notify, "retry", "Have what could not be delivered sent again, and what waits be tried now",
                        "backstay notify retry ops");
  command->add_option("TARGET", a.target, "Only this target's");
  context.on(command, [context, arguments] { return retry(context, *arguments); });

  command =
      context.add(*notify, "test", "Send a target a message now", "backstay notify test --config backstay.yaml ops");
  command->add_option("--config", a.config, "The server's configuration (YAML)")->required();
  command->add_option("TARGET", a.target, "Its name in the configuration")->required();
  context.on(command, [context, arguments] { return test(context, *arguments); });
}

}  // namespace backstay::cli
