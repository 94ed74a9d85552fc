#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cli/command.hpp"
#include "cli/report_files.hpp"
#include "cli/scan_view.hpp"
#include "services/accept_scan.hpp"
#include "services/void_exceptions.hpp"
#include "wire/model_card.hpp"

/// What a version is, for people who did not make it.
namespace backstay::cli {

namespace {

struct Arguments {
  std::string version;
  std::string output;
  bool html = false;
};

std::string why_void(const ScanException& exception, const services::ScanStanding& standing, Timestamp now) {
  if (exception.expires <= now) return fmt::format("expired at {}", to_rfc3339(exception.expires));
  const bool about_it = standing.newest && exception.findings == digest_of(standing.newest->report);
  return about_it ? "" : "is about what an earlier scan found";
}

Result<wire::CardFacts> facts_of(OpenRegistry& opened, const registry::VersionRef& ref) {
  VersionStore& versions = opened.registry().versions;
  TRY(const StoredVersion stored, versions.version(ref));
  wire::CardFacts facts;
  TRY(facts.manifest, services::manifest_of(stored));
  facts.manifest_sha256 = stored.identity.hex();
  facts.stage = stored.stage;
  facts.registered_at = to_rfc3339(stored.registered_at);
  facts.registered_by = stored.registered_by;
  TRY(const services::ScanStanding standing, services::scan_standing(versions, ref, system_clock().now()));
  if (standing.newest) facts.scan = scan::to_string(standing.newest->report.verdict);
  TRY(facts.scorecards, versions.scorecards(ref));
  TRY(const std::vector<StoredVerdict> verdicts, versions.verdicts(ref));
  std::set<std::string> gates;
  for (const StoredVerdict& verdict : verdicts)
    if (gates.insert(verdict.gate).second)
      facts.verdicts.push_back({verdict.gate, verdict.gate_digest.hex(), verdict.verdict, verdict.evidence,
                                to_rfc3339(verdict.at), verdict.decided_by});
  TRY(const std::vector<GateException> exceptions, opened.gate_exceptions().gate_exceptions(ref));
  const Timestamp now = system_clock().now();
  for (const GateException& exception : exceptions) {
    std::string gate = "sha256:" + exception.gate_sha256.hex().substr(0, 16);
    for (const StoredVerdict& verdict : verdicts)
      if (verdict.gate_digest == exception.gate_sha256) gate = verdict.gate;
    facts.exceptions.push_back({"gate " + gate, exception.signed_by, key_of(exception.envelope), exception.reason,
                                to_rfc3339(exception.at), to_rfc3339(exception.expires),
                                services::why_void(exception, stored, verdicts, now)});
  }
  TRY(const std::vector<ScanException> from_scans, versions.scan_exceptions(ref));
  for (const ScanException& exception : from_scans)
    if (!exception.envelope.empty())
      facts.exceptions.push_back({"the scan", exception.signed_by, key_of(exception.envelope), exception.reason,
                                  to_rfc3339(exception.at), to_rfc3339(exception.expires),
                                  why_void(exception, standing, now)});
  return facts;
}

Result<ExitCode> card(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, context.open());
  TRY(const registry::VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  TRY(const wire::CardFacts facts, facts_of(*opened, ref));
  const std::string text = arguments.html ? wire::model_card_html(facts) : wire::model_card_markdown(facts);
  if (!arguments.output.empty()) TRY_DO(write_text(arguments.output, text));
  if (context.common.json) {
    nlohmann::json out{{"version", ref.str()}, {"format", arguments.html ? "html" : "markdown"}};
    if (arguments.output.empty()) {
      out["card"] = text;
    } else {
      out["file"] = arguments.output;
    }
    print_json(out);
  } else if (arguments.output.empty()) {
    fmt::print("{}", text);
  } else {
    fmt::print("wrote {}\n", arguments.output);
  }
  return kOk;
}

}  // namespace

void add_card_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* command = context.add(context.app, "card", "Write a version's model card from what the registry holds",
                                  "backstay card breast-cancer@1.1.0 --output card.md\n  backstay card "
                                  "breast-cancer@1.1.0 --html --output card.html");
  command->add_option("VERSION", a.version, "MODEL@X.Y.Z, or MODEL@ALIAS")->required();
  command->add_flag("--html", a.html, "HTML instead of Markdown");
  command->add_option("--output", a.output, "Write to this file instead of standard output");
  context.on(command, [context, arguments] { return card(context, *arguments); });
}

}  // namespace backstay::cli
