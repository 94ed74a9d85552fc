#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "cli/command_line.hpp"
#include "cli/exit_code.hpp"
#include "domain/registry/manifest.hpp"

/// What the groups of commands share.
namespace backstay::cli {

/// Options that every command has.
struct Common {
  bool json = false;
  std::string data_dir;
  std::string usual_data_dir;  ///< When no option gives another one.
  std::string actor;
};

/// What a command that was chosen does: success carries the exit status.
using Action = std::function<Result<ExitCode>()>;

/// Collects the commands while they are declared; the one that is parsed sets the action.
struct Context {
  CLI::App& app;
  const Program& program;
  Common& common;
  Action& action;

  /// A command with its help, an example, and the common options.
  CLI::App* add(CLI::App& parent, const std::string& name, const std::string& help, const std::string& example) const;
  void on(CLI::App* command, Action does) const;
  Result<std::unique_ptr<OpenRegistry>> open(IfMissing missing = IfMissing::kRefuse) const {
    return program.open_registry(common.data_dir, missing);
  }
  /// " --data-dir FOLDER" when it was given, for a command to go on with that is printed.
  std::string data_dir_option() const;
};

/// As a shell takes it for one word.
std::string quoted(const std::string& text);

/// " + uncommitted changes" when the version's code is not just its commit.
const char* uncommitted(const registry::Code& code);

void print_json(const nlohmann::json& value);

void add_registry_commands(const Context& context);
void add_history_commands(const Context& context);
void add_lineage_commands(const Context& context);
void add_infrastructure_commands(const Context& context);
void add_release_commands(const Context& context);
void add_replay_commands(const Context& context);
void add_notify_commands(const Context& context);
void add_audit_commands(const Context& context);
void add_signing_commands(const Context& context);
void add_scan_commands(const Context& context);
void add_store_commands(const Context& context);
void add_search_commands(const Context& context);
void add_slice_commands(const Context& context);
void add_table_commands(const Context& context);
void add_environment_commands(const Context& context);
void add_guardrail_commands(const Context& context);
void add_gate_commands(const Context& context);
void add_evaluate_commands(const Context& context);
void add_ci_commands(const Context& context);
void add_card_commands(const Context& context);
void add_drift_commands(const Context& context);
void add_suggest_commands(const Context& context);

/// The text of a file; "-" is standard input.
Result<std::string> read_text(const std::string& path);

}  // namespace backstay::cli
