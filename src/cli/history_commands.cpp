#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/json.hpp"
#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "services/archive_version.hpp"
#include "services/release_log.hpp"

/// Commands about the history of a model's versions: log, changelog, aliases, stages.
namespace backstay::cli {

using nlohmann::json;
using registry::VersionRef;
using services::ReleasedVersion;
using services::ReleaseEvent;

namespace {

struct Arguments {
  std::string model;
  std::string version;
  std::string alias;
  std::string reason;
  std::string expected;
  std::uint64_t limit = 20;
};

std::string minute(Timestamp at) {
  return to_rfc3339(at).substr(0, 16).replace(10, 1, " ");
}

Colour colour_of(const ReleaseEvent& event) {
  if (services::is_withdrawal(event)) return Colour::kRed;
  if (event.action == "rollout.done" || event.action == "rollout.watch") return Colour::kGreen;
  return Colour::kDim;
}

json log_json(const std::vector<ReleasedVersion>& log) {
  json out = json::array();
  for (const ReleasedVersion& item : log) {
    json version = api::to_json(item.version);
    version["aliases"] = item.aliases;
    version["taken_back_from"] = item.taken_back_from;
    version["changelog"] = item.manifest.changelog;
    version["events"] = json::array();
    for (const ReleaseEvent& event : item.events)
      version["events"].push_back({{"at", to_rfc3339(event.at)},
                                   {"actor", event.actor},
                                   {"action", event.action},
                                   {"endpoint", event.endpoint},
                                   {"text", services::in_words(event)},
                                   {"reason", event.reason}});
    version["changes"] = json::array();
    for (const registry::Difference& change : item.changes)
      version["changes"].push_back(
          {{"section", change.section}, {"what", change.what}, {"before", change.before}, {"after", change.after}});
    out.push_back(std::move(version));
  }
  return out;
}

void print_version(const ReleasedVersion& item) {
  std::string names;
  for (const std::string& alias : item.aliases) names += "  <- " + alias;
  const std::string taken_back =
      item.taken_back_from.empty() ? "" : fmt::format("  taken back from {}", fmt::join(item.taken_back_from, ", "));
  fmt::print("{}  {}{}{}\n", coloured(Colour::kBold, item.version.ref.version.str()), item.version.stage,
             coloured(Colour::kRed, taken_back), coloured(Colour::kYellow, names));
  fmt::print("  {}  registered by {}\n", minute(item.version.registered_at), item.version.registered_by);
  if (!item.manifest.changelog.empty()) fmt::print("      {}\n", item.manifest.changelog);
  if (item.compared_with && !item.changes.empty()) {
    std::vector<std::string> sections;
    for (const registry::Difference& change : item.changes)
      if (sections.empty() || sections.back() != change.section) sections.push_back(change.section);
    fmt::print("      {}\n",
               coloured(Colour::kDim, fmt::format("changed since {}: {}", item.compared_with->version.str(),
                                                  fmt::join(sections, ", "))));
  }
  for (const ReleaseEvent& event : item.events) {
    fmt::print("  {}  {} by {}\n", minute(event.at), coloured(colour_of(event), services::in_words(event)),
               event.actor);
    if (!event.reason.empty()) fmt::print("      {}\n", event.reason);
  }
}

Result<ExitCode> log(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY(const std::vector<ReleasedVersion> log, services::release_log(opened->records(), a.model));
  if (context.common.json) {
    print_json(log_json(log));
    return kOk;
  }
  for (std::size_t i = 0; i < log.size() && i < a.limit; ++i) {
    if (i > 0) fmt::print("\n");
    print_version(log[i]);
  }
  if (log.size() > a.limit)
    fmt::print("\n{} older versions: backstay log {} --limit {}\n", log.size() - a.limit, a.model, log.size());
  return kOk;
}

Result<ExitCode> changelog(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY(const std::vector<ReleasedVersion> log, services::release_log(opened->records(), a.model));
  const std::string markdown = services::changelog_markdown(a.model, log);
  if (context.common.json) {
    print_json({{"model", a.model}, {"markdown", markdown}});
  } else {
    fmt::print("{}", markdown);
  }
  return kOk;
}

Result<ExitCode> set_alias(const Context& context, const Arguments& a, bool expects) {
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), a.version));
  TRY_DO(services::set_alias(opened->records(), ref, a.alias, expects ? std::optional(a.expected) : std::nullopt,
                             {context.common.actor}, a.reason));
  if (context.common.json) {
    print_json({{"model", ref.model}, {"alias", a.alias}, {"version", ref.version.str()}});
  } else {
    fmt::print("{}@{} is {} now\n", ref.model, a.alias, ref.str());
  }
  return kOk;
}

Result<ExitCode> remove_alias(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY_DO(services::remove_alias(opened->records(), a.model, a.alias, {context.common.actor}, a.reason));
  if (context.common.json) {
    print_json({{"model", a.model}, {"alias", a.alias}, {"version", nullptr}});
  } else {
    fmt::print("{} has no alias '{}' any more\n", a.model, a.alias);
  }
  return kOk;
}

Result<ExitCode> list_aliases(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY(const std::vector<Alias> aliases, opened->records().releases.aliases(a.model));
  json out = json::array();
  std::vector<std::vector<std::string>> rows{{"ALIAS", "VERSION", "SINCE", "BY"}};
  for (const Alias& alias : aliases) {
    out.push_back({{"alias", alias.name},
                   {"version", alias.ref.version.str()},
                   {"since", to_rfc3339(alias.since)},
                   {"set_by", alias.set_by}});
    rows.push_back({alias.name, alias.ref.str(), minute(alias.since), alias.set_by});
  }
  if (context.common.json) {
    print_json(out);
  } else if (aliases.empty()) {
    fmt::print("{} has no alias. Make one with: backstay alias set {}@X.Y.Z champion\n", a.model, a.model);
  } else {
    fmt::print("{}", table(rows));
  }
  return kOk;
}

Result<ExitCode> move_stage(const Context& context, const Arguments& a, bool archive) {
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), a.version));
  const services::Actor actor{context.common.actor};
  TRY_DO(archive ? services::archive_version(opened->records(), ref, actor, a.reason)
                 : services::restore_version(opened->records(), ref, actor, a.reason));
  if (context.common.json) {
    print_json({{"version", ref.str()}, {"stage", archive ? "Archived" : "Staging"}});
  } else {
    fmt::print("{} is in stage {} now\n", ref.str(), archive ? "Archived" : "Staging");
  }
  return kOk;
}

void add_alias_commands(const Context& context, const std::shared_ptr<Arguments>& arguments) {
  Arguments& a = *arguments;
  CLI::App* group = context.app.add_subcommand("alias", "Names that point to a version of a model, like champion");
  group->require_subcommand(1);
  CLI::App* command = context.add(*group, "set", "Point an alias to a version; model@alias names it from then on",
                                  "backstay alias set breast-cancer@1.1.0 champion --expect 1.0.0");
  command->add_option("VERSION", a.version, "MODEL@X.Y.Z, or MODEL@ALIAS")->required();
  command->add_option("ALIAS", a.alias, "The alias")->required();
  CLI::Option* expect = command->add_option(
      "--expect", a.expected, "Only if it points to this version now (none: only if it is new); exit 5 otherwise");
  command->add_option("--reason", a.reason, "Why, for the audit log");
  context.on(command, [context, arguments, expect] { return set_alias(context, *arguments, expect->count() > 0); });

  command = context.add(*group, "remove", "Remove an alias", "backstay alias remove breast-cancer champion");
  command->add_option("MODEL", a.model, "The model")->required();
  command->add_option("ALIAS", a.alias, "The alias")->required();
  command->add_option("--reason", a.reason, "Why, for the audit log");
  context.on(command, [context, arguments] { return remove_alias(context, *arguments); });

  command = context.add(*group, "list", "A model's aliases", "backstay alias list breast-cancer");
  command->add_option("MODEL", a.model, "The model")->required();
  context.on(command, [context, arguments] { return list_aliases(context, *arguments); });
}

}  // namespace

void add_history_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;

  CLI::App* command = context.add(context.app, "log", "A model's versions with what happened to each, and why",
                                  "backstay log breast-cancer");
  command->add_option("MODEL", a.model, "The model")->required();
  command->add_option("--limit", a.limit, "Most versions to print")->capture_default_str();
  context.on(command, [context, arguments] { return log(context, *arguments); });

  command =
      context.add(context.app, "changelog", "A model's changelog as Markdown", "backstay changelog breast-cancer");
  command->add_option("MODEL", a.model, "The model")->required();
  context.on(command, [context, arguments] { return changelog(context, *arguments); });

  add_alias_commands(context, arguments);

  command = context.add(context.app, "archive", "Take a version that nothing serves out of the way",
                        "backstay archive breast-cancer@2.0.0 --reason \"trained on site D\"");
  command->add_option("VERSION", a.version, "MODEL@X.Y.Z, or MODEL@ALIAS")->required();
  command->add_option("--reason", a.reason, "Why, for the audit log")->required();
  context.on(command, [context, arguments] { return move_stage(context, *arguments, true); });

  command = context.add(context.app, "restore", "Bring an archived version back to Staging",
                        "backstay restore breast-cancer@2.0.0 --reason \"labels corrected\"");
  command->add_option("VERSION", a.version, "MODEL@X.Y.Z, or MODEL@ALIAS")->required();
  command->add_option("--reason", a.reason, "Why, for the audit log")->required();
  context.on(command, [context, arguments] { return move_stage(context, *arguments, false); });
}

}  // namespace backstay::cli
