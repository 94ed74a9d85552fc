#include "cli/command_line.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "api/json.hpp"
#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "wire/document.hpp"

namespace backstay::cli {

namespace {

constexpr std::size_t kMaxFileBytes = 16 * 1024 * 1024;

std::string user_name() {
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_name : fmt::format("uid {}", getuid());
}

std::string from_environment(const char* name, std::string otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? text : std::move(otherwise);
}

std::string sentence(std::string text) {
  if (text.find_last_of(".!?") + 1 != text.size()) text += '.';
  return text;
}

constexpr const char* kAbout =
    "Backstay: the safety net for model releases.\n\n"
    "  register a version, gate it, roll it out; a guardrail takes it back when it misbehaves.";

constexpr const char* kFooter =
    "\nExit status: 0 done, 1 failure, 2 wrong input, 3 not found, 4 not permitted, 5 conflict, 6 gate FAIL, scan\n"
    "dangerous or data drifted, 8 gate INSUFFICIENT or scan suspicious, 9 integrity, 10 something must be done first, "
    "11 unavailable, "
    "12 no space,\n"
    "13 unsupported, 124 timeout.";

}  // namespace

CLI::App* Context::add(CLI::App& parent, const std::string& name, const std::string& help,
                       const std::string& example) const {
  CLI::App* command = parent.add_subcommand(name, help);
  if (!example.empty()) command->footer("\nExample:\n  " + example);
  command->add_flag("--json", common.json, "Print JSON for programs");
  // Not CLI11's envname(): every command's option writes to the same place, and those of the commands that were not
  // called would set it from the environment after the one that was.
  command
      ->add_option("--data-dir", common.data_dir,
                   "Folder of the registry and of the running server (or BACKSTAY_DATA_DIR)")
      ->capture_default_str();
  command->add_option("--actor", common.actor, "Who does this, for the audit log (or BACKSTAY_ACTOR)")
      ->capture_default_str();
  return command;
}

void Context::on(CLI::App* command, Action does) const {
  command->callback([this_action = &action, does = std::move(does)] { *this_action = does; });
}

std::string Context::data_dir_option() const {
  return common.data_dir == common.usual_data_dir ? "" : " --data-dir " + cli::quoted(common.data_dir);
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string(R"('\'')") : std::string(1, c);
  return out + "'";
}

const char* uncommitted(const registry::Code& code) {
  return code.dirty_diff_sha256.empty() ? "" : " + uncommitted changes";
}

void print_json(const nlohmann::json& value) {
  fmt::print("{}\n", api::dump(value, 2));
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream file;
  std::istream* in = &std::cin;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file)
      return Unexpected(ErrorCode::kNotFound, fmt::format("The file {} can't be read.", path), "Check the path.");
    in = &file;
  }
  std::string text;
  char piece[65536];
  while (in->read(piece, sizeof piece), in->gcount() > 0) {
    text.append(piece, static_cast<std::size_t>(in->gcount()));
    if (text.size() > kMaxFileBytes)
      return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is larger than 16 MiB.", path),
                        "Name large data by its file or digest instead of writing it out.");
  }
  if (in->bad())
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} can't be read as a file.", path),
                      "Give a file; - is standard input.");
  return text;
}

namespace {

/// "scan accept " of the command that was being read; empty: none was.
std::string command_read(const CLI::App& app) {
  std::string out;
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands()[0];
    out += at->get_name() + " ";
  }
  return out;
}

ExitCode unknown_command(const CLI::App& app, const std::string& word, bool as_json) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  const auto meant = wire::nearest(word, names);
  print_error({ErrorCode::kInvalidArgument, fmt::format("There is no command '{}'.", word),
               meant ? fmt::format("Did you mean: backstay {}", *meant) : "See: backstay --help"},
              as_json);
  return kUsage;
}

}  // namespace

int run(int argc, char** argv, const Program& program) {
  CLI::App app(kAbout, "backstay");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", program.version);
  app.get_formatter()->column_width(34);
  Common common;
  common.data_dir = from_environment("BACKSTAY_DATA_DIR", "backstay-data");
  common.usual_data_dir = common.data_dir;
  common.actor = from_environment("BACKSTAY_ACTOR", user_name());
  Action action;
  const Context context{app, program, common, action};
  add_registry_commands(context);
  add_history_commands(context);
  add_lineage_commands(context);
  add_infrastructure_commands(context);
  add_search_commands(context);
  add_release_commands(context);
  add_replay_commands(context);
  add_notify_commands(context);
  add_audit_commands(context);
  add_signing_commands(context);
  add_scan_commands(context);
  add_store_commands(context);
  add_slice_commands(context);
  add_table_commands(context);
  add_environment_commands(context);
  add_guardrail_commands(context);
  add_drift_commands(context);
  add_suggest_commands(context);
  add_gate_commands(context);
  add_evaluate_commands(context);
  add_ci_commands(context);
  add_card_commands(context);
  std::string config;
  CLI::App* serve = app.add_subcommand("serve", "Run the gateway and the control API");
  serve->footer("\nExample:\n  backstay serve --config backstay.yaml");
  serve->add_option("--config", config, "Configuration file")->required();
  context.on(serve, [&]() -> Result<ExitCode> {
    TRY_DO(program.serve(config));
    return kOk;
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    if (wrong.get_exit_code() == 0) return app.exit(wrong);
    if (const std::string word = argc > 1 ? argv[1] : "";
        app.get_subcommands().empty() && !word.starts_with('-') && !word.empty())
      return unknown_command(app, word, common.json);
    print_error(
        {ErrorCode::kInvalidArgument, sentence(wrong.what()), fmt::format("See: backstay {}--help", command_read(app))},
        common.json);
    return kUsage;
  }
  const Result<ExitCode> done = [&]() -> Result<ExitCode> {
    try {
      TRY(const ExitCode code, action());
      // What is still in the buffer must get out while there is somebody to tell that it does not.
      if (std::fflush(stdout) != 0) return Unexpected(error_from_errno(errno, "cannot write to standard output"));
      return code;
    } catch (const std::system_error& failed) {
      std::clearerr(stdout);
      return Unexpected(error_from_errno(failed.code().value(), "cannot write the output"));
    } catch (const nlohmann::json::exception& unexpected) {
      return Unexpected(ErrorCode::kInternal,
                        fmt::format("The server's answer is not understood: {}", unexpected.what()),
                        "Use a backstay program of the server's version.");
    }
  }();
  if (done) return *done;
  print_error(done.error(), common.json);
  return exit_code(done.error().code);
}

}  // namespace backstay::cli
