#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/pipeline_template.hpp"
#include "cli/report_files.hpp"

/// Files for CI systems.
namespace backstay::cli {

namespace {

struct Arguments {
  Pipeline pipeline;
  std::string folder = ".";
  bool force = false;
};

Result<ExitCode> init(const Context& context, const Arguments& arguments) {
  TRY(const std::string relative, pipeline_path(arguments.pipeline.system));
  TRY(const std::string text, pipeline_text(arguments.pipeline));
  const std::filesystem::path path = std::filesystem::path(arguments.folder) / relative;
  std::error_code failure;
  const bool there = std::filesystem::exists(std::filesystem::symlink_status(path, failure));
  if (there && !arguments.force)
    return Unexpected(ErrorCode::kConflict, fmt::format("{} is there already.", path.string()),
                      "Add the job to it by hand, or overwrite it with --force.");
  std::filesystem::create_directories(path.parent_path(), failure);
  TRY_DO(write_text(path.string(), text));
  if (context.common.json) {
    print_json({{"file", path.string()}, {"replaced", there}});
  } else {
    fmt::print("wrote {}\n", path.string());
    fmt::print("next: put backstay and BACKSTAY_DATA_DIR on the runner, commit {}, {} and {}\n",
               arguments.pipeline.version_file, arguments.pipeline.suite_file, arguments.pipeline.gate_file);
  }
  return kOk;
}

}  // namespace

void add_ci_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* ci = context.app.add_subcommand("ci", "Files for CI systems");
  ci->require_subcommand(1);
  CLI::App* command =
      context.add(*ci, "init", "Write a pipeline that registers, measures and judges a version",
                  "backstay ci init github\n  backstay ci init gitlab --suite tests/suite.yaml --gate tests/gate.yaml");
  command->add_option("SYSTEM", a.pipeline.system, "github, gitlab or jenkins")->required();
  command->add_option("--description", a.pipeline.version_file, "The version's description")->capture_default_str();
  command->add_option("--suite", a.pipeline.suite_file, "The evaluation suite")->capture_default_str();
  command->add_option("--gate", a.pipeline.gate_file, "The gate")->capture_default_str();
  command->add_option("--to", a.folder, "The repository's folder")->capture_default_str();
  command->add_flag("--force", a.force, "Overwrite the file that is there");
  context.on(command, [context, arguments] { return init(context, *arguments); });
}

}  // namespace backstay::cli
