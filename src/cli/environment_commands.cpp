#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "services/build_environment.hpp"
#include "services/compare_environment.hpp"
#include "services/reproduce_version.hpp"

/// What a version ran in and was made from, compared with this machine and made again on it.
namespace backstay::cli {

using nlohmann::json;
using registry::VersionRef;

namespace {

struct Arguments {
  std::string version;
  std::string to;
  std::string python;
  std::string data = ".";
  std::string repository;
  std::string image;
  bool no_packages = false;
  bool venv = false;
  bool link = false;
};

Result<ExitCode> verify(const Context& context, const Arguments& arguments) {
  if (arguments.no_packages && !arguments.python.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "--python and --no-packages exclude each other.",
                      "Give one of them.");
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  TRY(const StoredVersion stored, opened->registry().versions.version(ref));
  TRY(const registry::Manifest manifest, services::manifest_of(stored));
  TRY(const services::EnvironmentComparison found,
      services::compare_environment(manifest.environment, context.program.machine, arguments.python));
  // What nobody looked at is not the same.
  const bool unknown = found.packages_unknown && !arguments.no_packages;
  const ExitCode code = found.differences.empty() && !unknown ? kOk : kPrecondition;
  if (context.common.json) {
    json differences = json::array();
    for (const auto& d : found.differences)
      differences.push_back({{"what", d.what}, {"recorded", d.recorded}, {"here", d.here}});
    print_json({{"version", ref.str()},
                {"same", found.same},
                {"differences", std::move(differences)},
                {"not_compared", found.not_compared}});
    return code;
  }
  std::vector<std::vector<std::string>> rows{{"", "RECORDED", "HERE"}};
  for (const auto& d : found.differences) rows.push_back({d.what, d.recorded, d.here.empty() ? "(none)" : d.here});
  if (!found.differences.empty()) fmt::print("{}", table(rows));
  fmt::print("{} the same, {} different{}\n", found.same.size(), found.differences.size(),
             unknown ? "; whether the packages are the same is not known" : "");
  for (const std::string& what : found.not_compared) fmt::print("not compared: {}\n", what);
  return code;
}

Result<ExitCode> build(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  TRY(const StoredVersion stored, opened->registry().versions.version(ref));
  TRY(const registry::Manifest manifest, services::manifest_of(stored));
  services::EnvironmentRequest request{arguments.to, arguments.venv, "python3", arguments.image};
  if (!arguments.python.empty()) request.python = arguments.python;
  TRY(const services::BuiltEnvironment built,
      services::build_environment(opened->registry(), stored, manifest, request, context.program.programs));
  if (context.common.json) {
    print_json({{"folder", arguments.to}, {"files", built.files}, {"notes", built.notes}});
    return kOk;
  }
  for (const std::string& note : built.notes) fmt::print(stderr, "note: {}\n", note);
  for (const std::string& file : built.files) fmt::print("{}/{}\n", arguments.to, file);
  return kOk;
}

Colour colour_of(const std::string& state) {
  return state == "changed" ? Colour::kRed : state == "missing" ? Colour::kYellow : Colour::kGreen;
}

Result<ExitCode> reproduce(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  services::ReproduceRequest request;
  request.folder = arguments.to;
  request.data = arguments.data;
  request.repository = arguments.repository;
  request.link = arguments.link;
  request.venv = arguments.venv;
  if (!arguments.python.empty()) request.python = arguments.python;
  TRY(const services::Reproduction done,
      services::reproduce_version(opened->registry(), ref, request, context.program.programs));
  ExitCode code = kOk;
  json parts = json::array();
  for (const services::Restored& part : done.parts) {
    if (part.state == "changed") code = kIntegrity;
    if (part.state == "missing" && code == kOk) code = kPrecondition;
    parts.push_back({{"what", part.what}, {"state", part.state}, {"detail", part.detail}});
  }
  if (context.common.json) {
    print_json({{"folder", arguments.to}, {"parts", std::move(parts)}, {"notes", done.notes}});
    return code;
  }
  for (const std::string& note : done.notes) fmt::print(stderr, "note: {}\n", note);
  for (const services::Restored& part : done.parts)
    fmt::print("{}  {}  {}\n", coloured(colour_of(part.state), fmt::format("{:8}", part.state)), part.what,
               part.detail);
  fmt::print("the commands: {}/reproduce.sh\n", arguments.to);
  return code;
}

}  // namespace

void add_environment_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  const std::string version_help = "MODEL@X.Y.Z, or MODEL@ALIAS";
  const std::string python_help = "A Python interpreter";
  CLI::App* env = context.app.add_subcommand("env", "What a version ran in");
  env->require_subcommand(1);

  CLI::App* command = context.add(
      *env, "verify", "Compare this machine with what a version recorded; exit 0 same, 10 different or not known",
      "backstay env verify breast-cancer@1.1.0 --python .venv/bin/python");
  command->add_option("VERSION", a.version, version_help)->required();
  command->add_option("--python", a.python, python_help + " whose version and packages are compared, too");
  command->add_flag("--no-packages", a.no_packages, "Only this machine: packages need not be known");
  context.on(command, [context, arguments] { return verify(context, *arguments); });

  command = context.add(*env, "build", "Write Dockerfile, lock files and bill of materials (CycloneDX) of a version",
                        "backstay env build breast-cancer@1.1.0 --to environment --venv");
  command->add_option("VERSION", a.version, version_help)->required();
  command->add_option("--to", a.to, "A folder that is not there yet")->required();
  command->add_flag(
      "--venv", a.venv,
      "Also make the environment, with hashes checked where there are some: venv/, or conda/ by micromamba");
  command->add_option("--python", a.python, python_help + " for it (default: python3)");
  command->add_option("--image", a.image, "What the Dockerfile begins with, instead of what was recorded");
  context.on(command, [context, arguments] { return build(context, *arguments); });

  command =
      context.add(context.app, "reproduce",
                  "Restore a version's model, code, data and environment in one folder; exit 10 when something is "
                  "missing, 9 when data was changed",
                  "backstay reproduce breast-cancer@1.1.0 --to again --data training");
  command->add_option("VERSION", a.version, version_help)->required();
  command->add_option("--to", a.to, "A folder that is not there yet")->required();
  command->add_option("--data", a.data, "Where version.yaml was: data is looked for from there")->capture_default_str();
  command->add_option("--repository", a.repository, "Clone this instead of the recorded repository");
  command->add_flag("--link", a.link, "Hard links to data instead of copies");
  command->add_flag("--venv", a.venv, "Also make the virtual environment");
  command->add_option("--python", a.python, python_help + " for it (default: python3)");
  context.on(command, [context, arguments] { return reproduce(context, *arguments); });
}

}  // namespace backstay::cli
