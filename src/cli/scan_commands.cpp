#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/scan_view.hpp"
#include "cli/terminal.hpp"
#include "services/accept_scan.hpp"
#include "services/scan_version.hpp"
#include "signing/key_file.hpp"

/// What can run in a version's artifacts, found without running it.
namespace backstay::cli {

using registry::VersionRef;

namespace {

struct Arguments {
  std::string target;
  std::string version;
  std::string reason;
  std::string expires;
  std::string key;
};

ExitCode exit_of(const scan::Report& report) {
  return report.verdict == scan::Verdict::kSafe         ? kOk
         : report.verdict == scan::Verdict::kSuspicious ? kGateInsufficient
                                                        : kGateFailed;
}

Result<ExitCode> print(const Context& context, const scan::Report& report, const nlohmann::json& as_json,
                       const std::string& target) {
  if (context.common.json) {
    print_json(as_json);
  } else {
    print_findings(report);
    print_scan_line(report, target);
  }
  return exit_of(report);
}

Result<ExitCode> scan(const Context& context, const std::string& target) {
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(target, ignored))) {
    TRY(const scan::Report report, services::scan_files(target));
    return print(context, report, scan_json(report), target);
  }
  if (target.find('@') == std::string::npos)
    return Unexpected(ErrorCode::kNotFound, fmt::format("There is no file or folder {}.", target),
                      "Give a path, or a version like breast-cancer@1.1.0.");
  TRY(const VersionRef ref, VersionRef::parse(target));
  TRY(const auto opened, context.open());
  TRY(const StoredScan done, services::scan_version(opened->registry(), ref, {context.common.actor}));
  return print(context, done.report, scan_json(done), target);
}

Result<ExitCode> accept(const Context& context, const Arguments& arguments) {
  TRY(const VersionRef ref, VersionRef::parse(arguments.version));
  TRY(const milliseconds valid, parse_duration(arguments.expires));
  TRY(const signing::PrivateKey key, signing::read_private_key(arguments.key));
  TRY(const auto opened, context.open());
  TRY(const ScanException exception, services::accept_scan(opened->registry().versions, ref, arguments.reason, valid,
                                                           key, {context.common.actor}, system_clock().now()));
  if (context.common.json) {
    print_json(exception_json(exception));
  } else {
    fmt::print("{} answers for what was found in {} until {}\n", exception.signed_by, ref.str(),
               to_rfc3339(exception.expires));
    fmt::print("it counts for endpoints whose exception_keys have the key {}\n", key.public_key().id().substr(0, 16));
  }
  return kOk;
}

}  // namespace

void add_scan_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* command = context.add(
      context.app, "scan", "Look for what could run in artifacts; exit 0 safe, 6 dangerous, 8 suspicious",
      "backstay scan breast-cancer@1.1.0\n  backstay scan model.pkl\n  backstay scan accept breast-cancer@1.1.0 "
      "--reason \"reviewed with its author\" --expires 30d --key alice.pem");
  command->add_option("TARGET", a.target, "A version, MODEL@X.Y.Z, or a file or folder");
  CLI::App* exception =
      context.add(*command, "accept", "Sign that a version may be released although its scan calls it dangerous",
                  "backstay scan accept breast-cancer@1.1.0 --reason \"reviewed\" --expires 30d --key alice.pem");
  exception->add_option("VERSION", a.version, "A version, MODEL@X.Y.Z")->required();
  exception->add_option("--reason", a.reason, "Why what was found is no danger")->required();
  exception->add_option("--expires", a.expires, "For how long, like 30d; at most a year")->required();
  exception->add_option("--key", a.key, "Your private key (backstay key generate)")->required();
  // The callback of the inner command comes before that of the outer one, which decides.
  context.on(command, [context, arguments, exception]() -> Result<ExitCode> {
    if (exception->parsed()) return accept(context, *arguments);
    if (arguments->target.empty())
      return Unexpected(ErrorCode::kInvalidArgument, "There is nothing to scan.",
                        "Give a version, a file or a folder: backstay scan model.pkl");
    return scan(context, arguments->target);
  });
}

}  // namespace backstay::cli
