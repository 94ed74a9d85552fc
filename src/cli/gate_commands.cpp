#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/gate_view.hpp"
#include "cli/report_files.hpp"
#include "cli/terminal.hpp"
#include "services/accept_gate.hpp"
#include "services/evaluate_gate.hpp"
#include "services/scan_version.hpp"
#include "signing/key_file.hpp"

/// Verdicts about versions, and exceptions from them.
namespace backstay::cli {

using nlohmann::json;
using registry::VersionRef;

namespace {

struct Arguments {
  std::string version;
  std::string file;
  ReportFiles reports;
  std::string gate;
  std::string reason;
  std::string expires;
  std::string key;
};

Result<ExitCode> gate(const Context& context, const Arguments& arguments) {
  TRY_DO(arguments.reports.check());
  TRY(const std::string text, read_text(arguments.file));
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  TRY_DO(services::ensure_scanned(opened->registry(), ref, {context.common.actor}));
  TRY(const services::GateDecision decision,
      services::evaluate_gate(opened->registry().versions, ref, arguments.file, text, {context.common.actor},
                              system_clock().now()));
  const gates::Verdict& verdict = decision.verdict;
  print_warnings(decision.warnings);
  TRY_DO(arguments.reports.write({ref, decision.stored.gate, arguments.file, verdict, {}, "", context.program.version},
                                 context.common.json));
  if (context.common.json) {
    json out = json::parse(decision.stored.evidence);
    out["gate"] = decision.stored.gate;
    out["version"] = ref.str();
    out["warnings"] = decision.warnings;
    print_json(out);
  } else {
    print_verdict(decision.stored.gate, ref, verdict);
  }
  return exit_of(verdict.decision);
}

Result<ExitCode> accept(const Context& context, const Arguments& arguments) {
  TRY(const milliseconds valid, parse_duration(arguments.expires));
  TRY(const signing::PrivateKey key, signing::read_private_key(arguments.key));
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  TRY(const GateException exception,
      services::accept_gate(opened->registry().versions, opened->gate_exceptions(), ref, arguments.gate,
                            arguments.reason, valid, key, {context.common.actor}, system_clock().now()));
  if (context.common.json) {
    print_json({{"id", exception.id},
                {"gate_sha256", exception.gate_sha256.hex()},
                {"signed_by", exception.signed_by},
                {"key_sha256", key.public_key().id()},
                {"at", to_rfc3339(exception.at)},
                {"expires", to_rfc3339(exception.expires)}});
  } else {
    fmt::print("{} answers for {} at gate {} until {}\n", exception.signed_by, ref.str(), arguments.gate,
               to_rfc3339(exception.expires));
    fmt::print("it counts for endpoints whose exception_keys have the key {}\n", key.public_key().id().substr(0, 16));
  }
  return kOk;
}

}  // namespace

void add_gate_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* command = context.add(
      context.app, "gate", "Judge a version by a gate's rules; exit 0 PASS, 6 FAIL, 8 INSUFFICIENT",
      "backstay gate breast-cancer@1.1.0 --file production.yaml\n  backstay gate accept breast-cancer@1.1.0 --gate "
      "production --reason \"recall fix, reviewed\" --expires 7d --key alice.pem");
  command->add_option("VERSION", a.version, "MODEL@X.Y.Z, or MODEL@ALIAS");
  command->add_option("--file", a.file, "The gate (YAML)");
  a.reports.add_options(*command);
  CLI::App* exception =
      context.add(*command, "accept", "Sign that a version may be released although a gate did not pass it",
                  "backstay gate accept breast-cancer@1.1.0 --gate production --reason \"recall fix, reviewed\" "
                  "--expires 7d --key alice.pem");
  exception->add_option("VERSION", a.version, "MODEL@X.Y.Z, or MODEL@ALIAS")->required();
  exception->add_option("--gate", a.gate, "The gate's name")->required();
  exception->add_option("--reason", a.reason, "Why it may be released all the same")->required();
  exception->add_option("--expires", a.expires, "For how long, like 7d; at most a year")->required();
  exception->add_option("--key", a.key, "Your private key (backstay key generate)")->required();
  // The callback of the inner command comes before that of the outer one, which decides.
  context.on(command, [context, arguments, exception]() -> Result<ExitCode> {
    if (exception->parsed()) return accept(context, *arguments);
    if (arguments->version.empty() || arguments->file.empty())
      return Unexpected(ErrorCode::kInvalidArgument, "A version and a gate are needed.",
                        "Write: backstay gate breast-cancer@1.1.0 --file production.yaml");
    return gate(context, *arguments);
  });
}

}  // namespace backstay::cli
