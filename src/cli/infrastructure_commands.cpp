#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/descriptor.hpp"
#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "services/infrastructure.hpp"
#include "wire/infrastructure_file.hpp"

/// Commands about what the versions depend on: what is live, and what a change would break.
namespace backstay::cli {

using nlohmann::json;
using registry::Infrastructure;
using services::DeployedCheck;

namespace {

struct Arguments {
  Infrastructure item;
  std::string file;
  std::string schema_file;
  std::string reason;
  std::vector<std::string> command;
};

json item_json(const Infrastructure& item) {
  return {{"name", item.name},
          {"kind", item.kind},
          {"version", item.version},
          {"schema_sha256", item.schema_sha256},
          {"removed", item.removed}};
}

Result<std::vector<Infrastructure>> items_of(const Arguments& a) {
  if (!a.file.empty()) {
    TRY(const std::string text, read_text(a.file));
    TRY(const wire::Document document, wire::Document::from_yaml(a.file, text));
    return wire::infrastructure_from(document);
  }
  if (a.item.name.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "Nothing is declared.",
                      "Give a NAME with --kind and --version, or --file.");
  Infrastructure item = a.item;
  if (!a.schema_file.empty()) {
    TRY(const std::string schema, read_text(a.schema_file));
    item.schema_sha256 = sha256(schema).hex();
  }
  if (item.kind.empty())
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The kind of '{}' is missing.", item.name),
                      "Give --kind database, feature_view, api, queue, library, ...");
  return std::vector{item};
}

json check_json(const std::vector<DeployedCheck>& checks) {
  json out = json::array();
  for (const DeployedCheck& item : checks) {
    json reasons = json::array();
    for (const registry::Mismatch& mismatch : item.check.mismatches) reasons.push_back(mismatch.reason);
    json undeclared = json::array();
    for (const registry::Dependency& dependency : item.check.undeclared) undeclared.push_back(dependency.name);
    out.push_back({{"endpoint", item.endpoint},
                   {"role", item.role},
                   {"version", item.ref.str()},
                   {"holds", item.check.holds()},
                   {"mismatches", std::move(reasons)},
                   {"undeclared", std::move(undeclared)}});
  }
  return out;
}

bool all_hold(const std::vector<DeployedCheck>& checks) {
  for (const DeployedCheck& item : checks)
    if (!item.check.holds()) return false;
  return true;
}

/// One line per version; what would break first tells why.
void print_checks(const std::vector<DeployedCheck>& checks, bool only_broken) {
  for (const DeployedCheck& item : checks) {
    if (item.check.holds() && only_broken) continue;
    fmt::print("{}  {} ({} on {})\n",
               item.check.holds() ? coloured(Colour::kGreen, "fits  ") : coloured(Colour::kRed, "breaks"),
               item.ref.str(), item.role, item.endpoint);
    for (const registry::Mismatch& mismatch : item.check.mismatches) fmt::print("        {}\n", mismatch.reason);
    for (const registry::Dependency& dependency : item.check.undeclared)
      fmt::print("        {}\n", coloured(Colour::kDim, fmt::format("{} '{}' was never declared: not checked",
                                                                    dependency.kind, dependency.name)));
  }
}

Result<ExitCode> declare(const Context& context, const Arguments& a, const std::vector<Infrastructure>& items) {
  TRY(const auto opened, context.open(IfMissing::kMake));
  TRY_DO(services::declare_infrastructure(opened->records(), items, {context.common.actor}, a.reason));
  TRY(const std::vector<DeployedCheck> checks, services::check_infrastructure(opened->records(), {}));
  if (context.common.json) {
    json declared = json::array();
    for (const Infrastructure& item : items) declared.push_back(item_json(item));
    print_json({{"declared", std::move(declared)}, {"deployed", check_json(checks)}});
    return kOk;
  }
  for (const Infrastructure& item : items)
    fmt::print("{} '{}' {}\n", item.kind, item.name,
               item.removed           ? "is removed"
               : item.version.empty() ? "is live"
                                      : item.version + " is live");
  print_checks(checks, true);
  return kOk;
}

Result<ExitCode> remove(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY(const std::vector<Infrastructure> live, opened->records().infrastructure.infrastructure());
  for (Infrastructure item : live) {
    if (item.name != a.item.name) continue;
    item.removed = true;
    return declare(context, a, {item});
  }
  return Unexpected(ErrorCode::kNotFound, fmt::format("No infrastructure '{}' was declared.", a.item.name),
                    "See: backstay infra list");
}

Result<ExitCode> list(const Context& context) {
  TRY(const auto opened, context.open());
  TRY(const std::vector<Infrastructure> live, opened->records().infrastructure.infrastructure());
  json out = json::array();
  std::vector<std::vector<std::string>> rows{{"NAME", "KIND", "VERSION", "SCHEMA", ""}};
  for (const Infrastructure& item : live) {
    out.push_back(item_json(item));
    rows.push_back(
        {item.name, item.kind, item.version, item.schema_sha256.substr(0, 12), item.removed ? "removed" : ""});
  }
  if (context.common.json) {
    print_json(out);
  } else if (live.empty()) {
    fmt::print("Nothing is declared. Start with: backstay infra set patients --kind database --version 14.2\n");
  } else {
    fmt::print("{}", table(rows));
  }
  return kOk;
}

Result<ExitCode> check(const Context& context, const Arguments& a) {
  std::vector<Infrastructure> changes;
  if (!a.file.empty() || !a.item.name.empty()) {
    TRY(changes, items_of(a));
  }
  TRY(const auto opened, context.open());
  TRY(const std::vector<DeployedCheck> checks, services::check_infrastructure(opened->records(), changes));
  const bool holds = all_hold(checks);
  if (context.common.json) {
    print_json({{"holds", holds}, {"deployed", check_json(checks)}});
  } else {
    print_checks(checks, false);
    if (checks.empty()) fmt::print("No endpoint serves a version yet: nothing can break.\n");
  }
  return holds ? kOk : kPrecondition;
}

/// What a program prints, at most 64 KiB; fails when it fails. No shell is between.
Result<std::string> output_of(const std::vector<std::string>& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Unexpected(error_from_errno(errno, "cannot make a pipe"));
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  const pid_t child = fork();
  if (child < 0) return Unexpected(error_from_errno(errno, "cannot start " + command[0]));
  if (child == 0) {
    dup2(write_end.get(), STDOUT_FILENO);
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  write_end = Descriptor();
  std::string text;
  char piece[4096];
  while (true) {
    const ssize_t got = read(read_end.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || text.size() > 65536) break;
    text.append(piece, static_cast<std::size_t>(got));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return Unexpected(ErrorCode::kNotFound, fmt::format("The probe '{}' can't be started.", command[0]),
                      "Check its path.");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return Unexpected(ErrorCode::kUnavailable, fmt::format("The probe '{}' failed.", command[0]),
                      "Run it by hand; nothing was declared.");
  return text;
}

/// A probe prints a version on its first line, or {"version": ..., "schema_sha256": ...}.
Result<ExitCode> probe(const Context& context, const Arguments& a) {
  TRY(const std::string text, output_of(a.command));
  Infrastructure item = a.item;
  if (text.find_first_not_of(" \n\t") != std::string::npos && text[text.find_first_not_of(" \n\t")] == '{') {
    TRY(const wire::Document document, wire::Document::from_json("the probe's output", text));
    wire::Fields fields(document);
    fields.optional("version", item.version);
    fields.optional("schema_sha256", item.schema_sha256);
    TRY_DO(fields.finish());
  } else {
    item.version = text.substr(0, text.find('\n'));
    while (!item.version.empty() && (item.version.back() == ' ' || item.version.back() == '\r'))
      item.version.pop_back();
  }
  if (item.version.empty() && item.schema_sha256.empty())
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The probe '{}' printed nothing.", a.command[0]),
                      "It has to print a version, or JSON with version or schema_sha256.");
  return declare(context, a, {item});
}

void add_item_options(CLI::App* command, Arguments& a, bool named) {
  CLI::Option* name = command->add_option("NAME", a.item.name, "Its name, as manifests' dependencies call it");
  if (named) name->required();
  command->add_option("--kind", a.item.kind, "database, feature_view, api, queue, library, ...");
}

}  // namespace

void add_infrastructure_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* group = context.app.add_subcommand("infra", "The infrastructure that versions depend on");
  group->require_subcommand(1);

  CLI::App* command = context.add(*group, "set", "Declare what is live; names the deployed versions that do not fit it",
                                  "backstay infra set patients --kind database --version 14.2");
  add_item_options(command, a, false);
  command->add_option("--version", a.item.version, "The version that is live");
  command->add_option("--schema", a.schema_file, "A schema file; its digest is declared")
      ->excludes(command->add_option("--schema-sha256", a.item.schema_sha256, "A schema's digest"));
  command->add_option("--file", a.file, "Many at once (YAML; docs/infrastructure.md)")->excludes("NAME");
  command->add_option("--reason", a.reason, "Why, for the audit log");
  context.on(command, [context, arguments]() -> Result<ExitCode> {
    TRY(const std::vector<Infrastructure> items, items_of(*arguments));
    return declare(context, *arguments, items);
  });

  command = context.add(*group, "probe", "Run a command that prints the live version, and declare it",
                        "backstay infra probe patients --kind database -- psql -Atc 'show server_version'");
  add_item_options(command, a, true);
  command->get_option("--kind")->required();
  command->add_option("COMMAND", a.command, "The program and its arguments, after --")->required();
  command->add_option("--reason", a.reason, "Why, for the audit log");
  context.on(command, [context, arguments] { return probe(context, *arguments); });

  command = context.add(*group, "remove", "Declare that something is gone", "backstay infra remove old-queue");
  command->add_option("NAME", a.item.name, "Its name")->required();
  command->add_option("--reason", a.reason, "Why, for the audit log");
  context.on(command, [context, arguments] { return remove(context, *arguments); });

  command = context.add(*group, "list", "What was declared", "backstay infra list");
  context.on(command, [context] { return list(context); });

  command = context.add(*group, "check",
                        "Which deployed versions break with what is live, or would after a change; exit 10 if any",
                        "backstay infra check patients --kind database --version 15.1");
  add_item_options(command, a, false);
  command->add_option("--version", a.item.version, "The version that would be live");
  command->add_option("--schema", a.schema_file, "The schema file that would be live")
      ->excludes(command->add_option("--schema-sha256", a.item.schema_sha256, "The schema's digest"));
  command->add_flag("--removed", a.item.removed, "It would be gone");
  command->add_option("--file", a.file, "Many changes at once (YAML)")->excludes("NAME");
  context.on(command, [context, arguments] { return check(context, *arguments); });
}

}  // namespace backstay::cli
