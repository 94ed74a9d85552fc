#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "api/json.hpp"
#include "cli/command.hpp"
#include "cli/printable.hpp"
#include "cli/progress.hpp"
#include "cli/scan_view.hpp"
#include "cli/terminal.hpp"
#include "services/accept_scan.hpp"
#include "services/add_scorecard.hpp"
#include "services/capture_version.hpp"
#include "services/checkout_version.hpp"
#include "services/register_version.hpp"
#include "services/scan_version.hpp"
#include "services/void_exceptions.hpp"
#include "wire/scorecard_json.hpp"
#include "wire/version_spec.hpp"

/// Commands that work on the registry in the data directory, with or without a running server.
namespace backstay::cli {

using nlohmann::json;
using registry::VersionRef;

namespace {

/// Options of all of these commands; CLI11 writes into them.
struct Arguments {
  std::string version;
  std::string other;
  std::string file;
  std::string folder;
  bool reuse = false;
  bool dry_run = false;
  bool with_signature = false;
  bool verify = false;
  bool no_git = false;
  bool no_environment = false;
  std::string python;
};

/// A version's description, and what was found out about it.
struct Described {
  wire::VersionSpec spec;
  std::filesystem::path folder;
  std::vector<std::string> warnings;
};

Result<Described> describe(const Arguments& arguments) {
  Described out;
  TRY(const std::string text, read_text(arguments.file));
  TRY(const wire::Document document, wire::Document::from_yaml(arguments.file, text));
  TRY(out.spec, wire::version_spec_from(document));
  out.folder = std::filesystem::path(arguments.file).parent_path();
  if (arguments.no_environment && !arguments.python.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "--python and --no-environment exclude each other.",
                      "Give one of them.");
  return out;
}

/// Without `blobs` nothing is stored.
Result<void> capture(const Context& context, const Arguments& arguments, BlobStore* blobs, Described& described) {
  services::CaptureOptions options;
  if (!arguments.no_git) options.work_tree = &context.program.work_tree;
  if (!arguments.no_environment) options.machine = &context.program.machine;
  options.python = arguments.python;
  options.not_code = {arguments.file, context.common.data_dir};
  TRY(described.warnings, services::capture_version(blobs, options, described.folder, described.spec));
  return {};
}

void print_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) fmt::print(stderr, "warning: {}\n", warning);
}

void print_code_line(const registry::Code& code) {
  if (!code.commit.empty()) fmt::print("code: commit {}{}\n", code.commit.substr(0, 12), uncommitted(code));
}

services::TakenAs taken_as(const Arguments& arguments) {
  return arguments.reuse ? services::TakenAs::kSameContent : services::TakenAs::kSame;
}

Result<ExitCode> register_version(const Context& context, const Arguments& arguments) {
  TRY(Described described, describe(arguments));
  TRY(const auto opened, context.open(IfMissing::kMake));
  // What is captured is not collected before the version that refers to it is in the ledger.
  TRY(const std::unique_ptr<BlobHold> hold, opened->registry().blobs.hold());
  TRY_DO(capture(context, arguments, &opened->registry().blobs, described));
  TRY(const services::RegisteredVersion done,
      services::register_version(opened->registry(), described.spec, described.folder, {context.common.actor},
                                 progress_on_terminal(Unit::kBytes), taken_as(arguments)));
  described.warnings.insert(described.warnings.end(), done.warnings.begin(), done.warnings.end());
  if (context.common.json) {
    json out = api::to_json(done.version);
    out["created"] = done.created;
    out["reused"] = done.reused;
    out["missing"] = done.missing;
    out["scan"] = scan_json(done.scan);
    out["warnings"] = described.warnings;
    print_json(out);
    return kOk;
  }
  print_warnings(described.warnings);
  const std::string name = done.version.ref.str();
  fmt::print("{} {}  (number {}, sha256:{})\n",
             done.created ? "registered" : "already registered with this content:", coloured(Colour::kBold, name),
             done.version.ordinal, done.version.identity.hex().substr(0, 12));
  print_code_line(done.manifest.code);
  print_scan_line(done.scan.report, name);
  if (done.missing.empty()) {
    fmt::print("next: backstay scorecard add {} --file SCORECARD.json, then backstay gate {} --file GATE.yaml\n", name,
               name);
  } else {
    fmt::print("{} it lacks {} and cannot go to production.\n", coloured(Colour::kYellow, "incomplete:"),
               fmt::join(done.missing, ", "));
  }
  return kOk;
}

void print_plan(const services::PlannedVersion& plan) {
  const services::VersionAdvice& advice = plan.advice;
  fmt::print("{} sha256:{}{}\n", coloured(Colour::kBold, plan.manifest.ref.str()), plan.identity.hex().substr(0, 12),
             plan.registered ? " is registered with this content"
             : plan.refusal  ? " would be refused"
                             : " would be registered");
  print_code_line(plan.manifest.code);
  if (!plan.missing.empty())
    fmt::print("{} it lacks {} and could not go to production.\n", coloured(Colour::kYellow, "incomplete:"),
               fmt::join(plan.missing, ", "));
  if (!advice.compared_with) {
    fmt::print("it is the model's first version\n");
  } else if (advice.bump.bump == registry::Bump::kNone) {
    fmt::print("nothing changed since {}\n", advice.compared_with->str());
  } else {
    fmt::print("since {} this is a {} change: {}\n", advice.compared_with->str(), to_string(advice.bump.bump),
               fmt::join(advice.bump.reasons, "; "));
    fmt::print("suggested version: {}\n", coloured(Colour::kGreen, advice.bump.next.str()));
  }
}

Result<ExitCode> plan_version(const Context& context, const Arguments& arguments) {
  TRY(Described described, describe(arguments));
  TRY(const auto opened, context.open());
  TRY_DO(capture(context, arguments, nullptr, described));
  TRY(const services::PlannedVersion plan,
      services::plan_version(opened->registry(), described.spec, described.folder, progress_on_terminal(Unit::kBytes),
                             taken_as(arguments)));
  described.warnings.insert(described.warnings.end(), plan.warnings.begin(), plan.warnings.end());
  if (!context.common.json) {
    print_warnings(described.warnings);
    print_plan(plan);
  }
  if (plan.refusal) return Unexpected(*plan.refusal);
  if (!context.common.json) return kOk;
  const services::VersionAdvice& advice = plan.advice;
  print_json({{"model", plan.manifest.ref.model},
              {"version", plan.manifest.ref.version.str()},
              {"manifest_sha256", plan.identity.hex()},
              {"registered", plan.registered},
              {"missing", plan.missing},
              {"warnings", described.warnings},
              {"compared_with", advice.compared_with ? json(advice.compared_with->str()) : json(nullptr)},
              {"bump", to_string(advice.bump.bump)},
              {"reasons", advice.bump.reasons},
              {"suggested", advice.bump.next.str()}});
  return kOk;
}

/// Nothing when they were not counted, which is not the same as none.
std::string rows_of(const registry::DataSlice& slice) {
  const bool counted = slice.rows > 0 || !slice.profile_sha256.empty();
  return counted ? fmt::format("  {} rows", slice.rows) : "";
}

void print_manifest(const registry::Manifest& m) {
  fmt::print("\nartifacts\n");
  for (const auto& a : m.artifacts)
    fmt::print("  {}  {}  sha256:{}\n", a.path, human_bytes(a.size_bytes), a.sha256.hex().substr(0, 12));
  fmt::print("code\n  {}{}{}\n", m.code.repository.empty() ? "" : m.code.repository + " ",
             m.code.commit.empty() ? "(no commit)" : m.code.commit, uncommitted(m.code));
  for (const auto& file : m.code.preprocessing)
    fmt::print("  {}  sha256:{}\n", file.path, file.sha256.hex().substr(0, 12));
  fmt::print("data\n");
  for (const auto& set : m.data) {
    for (const auto& slice : set.slices)
      fmt::print("  {} {}/{}{}  sha256:{}{}\n", set.role, set.name, slice.name, rows_of(slice),
                 slice.sha256.hex().substr(0, 12), slice.note.empty() ? "" : "  " + slice.note);
  }
  fmt::print("config\n");
  for (const auto& [key, value] : m.config) fmt::print("  {} = {}\n", key, value);
  if (m.environment != registry::Environment{})
    fmt::print("environment{}\n", m.environment.pinning.empty() ? "" : "  " + m.environment.pinning);
  for (const std::string& finding : m.environment.findings) fmt::print("  ! {}\n", finding);
  for (const auto& [what, text] :
       {std::pair("image", m.environment.image), std::pair("system", m.environment.os),
        std::pair("hardware", m.environment.hardware), std::pair("python", m.environment.python)})
    if (!text.empty()) fmt::print("  {} {}\n", what, text);
  for (const auto& [name, version] : m.environment.frameworks) fmt::print("  {} {}\n", name, version);
  for (const auto& file : m.environment.lock_files)
    fmt::print("  lock {}  sha256:{}\n", file.path, file.sha256.hex().substr(0, 12));
  if (!m.dependencies.empty()) fmt::print("dependencies\n");
  for (const auto& d : m.dependencies)
    fmt::print("  {} {} {} {}\n", d.direction, d.kind, d.name, d.version.empty() ? d.schema_sha256 : d.version);
}

void print_parents(const registry::Manifest& m) {
  if (!m.parents.empty() || !m.external_parents.empty()) fmt::print("parents\n");
  for (const VersionRef& parent : m.parents) fmt::print("  {}\n", parent.str());
  for (const std::string& parent : m.external_parents) fmt::print("  {} (elsewhere)\n", parent);
}

Colour colour_of(const std::string& verdict) {
  return verdict == "PASS" ? Colour::kGreen : verdict == "FAIL" ? Colour::kRed : Colour::kYellow;
}

Result<ExitCode> show(const Context& context, const std::string& name) {
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), name));
  VersionStore& versions = opened->registry().versions;
  TRY(const StoredVersion version, versions.version(ref));
  TRY(const registry::Manifest manifest, services::manifest_of(version));
  TRY(const auto scorecards, versions.scorecards(ref));
  TRY(const auto verdicts, versions.verdicts(ref));
  TRY(const auto scans, versions.scans(ref));
  TRY(const auto exceptions, versions.scan_exceptions(ref));
  TRY(const std::vector<GateException> gate_exceptions, opened->gate_exceptions().gate_exceptions(ref));
  const Timestamp now = system_clock().now();
  TRY(const std::vector<StoredSignature> signatures, opened->signatures().signatures(ref));
  if (context.common.json) {
    json out = api::to_json(version);
    out["manifest"] = json::parse(version.manifest_json);
    out["missing"] = registry::missing_parts(manifest);
    out["scorecards"] = json::array();
    for (const auto& card : scorecards) {
      json item = json::parse(wire::to_json(card.scorecard));
      item["at"] = to_rfc3339(card.at);
      out["scorecards"].push_back(std::move(item));
    }
    out["verdicts"] = json::array();
    for (const auto& v : verdicts)
      out["verdicts"].push_back({{"gate", v.gate},
                                 {"verdict", v.verdict},
                                 {"at", to_rfc3339(v.at)},
                                 {"decided_by", v.decided_by},
                                 {"gate_sha256", v.gate_digest.hex()},
                                 {"evidence", json::parse(v.evidence)}});
    out["scans"] = json::array();
    for (const StoredScan& scan : scans) out["scans"].push_back(scan_json(scan));
    out["scan_exceptions"] = json::array();
    for (const ScanException& exception : exceptions) out["scan_exceptions"].push_back(exception_json(exception));
    out["gate_exceptions"] = json::array();
    for (const GateException& exception : gate_exceptions)
      out["gate_exceptions"].push_back({{"gate_sha256", exception.gate_sha256.hex()},
                                        {"signed_by", exception.signed_by},
                                        {"key_sha256", key_of(exception.envelope)},
                                        {"reason", exception.reason},
                                        {"at", to_rfc3339(exception.at)},
                                        {"expires", to_rfc3339(exception.expires)},
                                        {"expired", exception.expires <= now},
                                        {"why_void", services::why_void(exception, version, verdicts, now)}});
    out["signatures"] = json::array();
    for (const StoredSignature& s : signatures)
      out["signatures"].push_back({{"signer", s.signer}, {"at", to_rfc3339(s.at)}, {"signed_by", s.signed_by}});
    print_json(out);
    return kOk;
  }
  fmt::print("{}  {}  number {}  registered {} by {}\nsha256:{}\n", coloured(Colour::kBold, ref.str()), version.stage,
             version.ordinal, to_rfc3339(version.registered_at), version.registered_by, version.identity.hex());
  if (!manifest.changelog.empty()) fmt::print("\n{}\n", manifest.changelog);
  const std::vector<std::string> missing = registry::missing_parts(manifest);
  if (!missing.empty())
    fmt::print("{} it lacks {}.\n", coloured(Colour::kYellow, "incomplete:"), fmt::join(missing, ", "));
  print_manifest(manifest);
  print_parents(manifest);
  if (scans.empty()) {
    fmt::print("scan {}: backstay scan {}\n", coloured(Colour::kYellow, "not scanned yet"), ref.str());
  } else {
    TRY(const services::ScanStanding standing, services::scan_standing(versions, ref, now));
    print_scan_line(scans.front().report, ref.str(), standing.exception.has_value());
  }
  for (const ScanException& exception : exceptions)
    fmt::print("scan exception {} by {} {} {}: {}\n",
               exception.envelope.empty()
                   ? "without a signature, which counts nowhere,"
                   : fmt::format("signed with key {}", printable(key_of(exception.envelope).substr(0, 16))),
               exception.signed_by, exception.expires > now ? "until" : "expired", to_rfc3339(exception.expires),
               printable(exception.reason));
  for (const auto& card : scorecards) {
    fmt::print("scorecard {} on {} by {} ({})\n", registry::to_string(card.scorecard.kind),
               printable(card.scorecard.dataset), printable(card.scorecard.evaluator),
               registry::to_string(card.scorecard.source));
    for (const auto& metric : card.scorecard.metrics)
      fmt::print("  {}{} = {:.6g} on {}\n", printable(metric.name),
                 metric.group.empty() ? "" : "{" + printable(metric.group) + "}", metric.value, metric.samples);
  }
  for (const auto& v : verdicts) {
    fmt::print("gate {}: {}  {} by {}\n", v.gate, coloured(colour_of(v.verdict), v.verdict), to_rfc3339(v.at),
               v.decided_by);
    const json evidence = json::parse(v.evidence);
    for (const json& row : evidence["rows"])
      if (row["decision"] != "PASS")
        fmt::print("  {}: {}. {}\n", printable(row.value("rule", "")), printable(row.value("observed", "")),
                   printable(row.value("explanation", "")));
  }
  for (const GateException& exception : gate_exceptions) {
    const std::string why = services::why_void(exception, version, verdicts, now);
    fmt::print("gate exception signed with key {} by {} until {}: {}{}\n",
               printable(key_of(exception.envelope).substr(0, 16)), exception.signed_by, to_rfc3339(exception.expires),
               printable(exception.reason), why.empty() ? "" : fmt::format(" (counts nowhere: it {})", why));
  }
  for (const StoredSignature& s : signatures)
    fmt::print("signed by {}  {} by {}\n", s.signer, to_rfc3339(s.at), s.signed_by);
  return kOk;
}

Result<ExitCode> check_out(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  std::string signature;
  if (arguments.with_signature) {
    TRY(const std::vector<StoredSignature> signatures, opened->signatures().signatures(ref));
    if (signatures.empty())
      return Unexpected(ErrorCode::kNotFound, fmt::format("{} has no signature.", ref.str()),
                        fmt::format("Sign it: backstay sign {} --key KEY", ref.str()));
    signature = signatures[0].bundle;
  }
  TRY(const services::CheckedOut done,
      services::check_out_version(opened->registry(), ref, arguments.folder,
                                  {signature, arguments.verify, progress_on_terminal(Unit::kBytes)}));
  if (context.common.json) {
    print_json({{"folder", done.folder.string()},
                {"files", done.manifest.artifacts.size()},
                {"size_bytes", done.total_bytes},
                {"hashed_bytes", done.hashed_bytes},
                {"copied_bytes", done.copied_bytes}});
  } else {
    fmt::print("{} files of {} ({}) are in {}, every digest verified\n", done.manifest.artifacts.size(), ref.str(),
               human_bytes(done.total_bytes), done.folder.string());
    if (done.hashed_bytes < done.total_bytes)
      fmt::print("{} now; the rest is unchanged since it was stored (--verify hashes all of it again)\n",
                 human_bytes(done.hashed_bytes));
  }
  return kOk;
}

Result<ExitCode> add_scorecard(const Context& context, const Arguments& arguments) {
  TRY(const std::string text, read_text(arguments.file));
  TRY(const wire::Document document, wire::Document::from_yaml(arguments.file, text));
  TRY(const registry::Scorecard scorecard, wire::scorecard_from(document));
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  TRY(const registry::StoredScorecard stored,
      services::add_written_scorecard(opened->registry().versions, ref, scorecard, {context.common.actor}));
  if (context.common.json) {
    print_json({{"id", stored.id}, {"at", to_rfc3339(stored.at)}});
  } else {
    fmt::print("added a {} scorecard with {} metrics to {}\n", registry::to_string(scorecard.kind),
               scorecard.metrics.size(), ref.str());
  }
  return kOk;
}

Result<ExitCode> diff(const Context& context, const Arguments& arguments) {
  TRY(const auto opened, context.open());
  TRY(const VersionRef before, services::resolve_version(opened->records(), arguments.version));
  TRY(const VersionRef after, services::resolve_version(opened->records(), arguments.other));
  TRY(const StoredVersion stored_before, opened->registry().versions.version(before));
  TRY(const StoredVersion stored_after, opened->registry().versions.version(after));
  TRY(const registry::Manifest a, services::manifest_of(stored_before));
  TRY(const registry::Manifest b, services::manifest_of(stored_after));
  const std::vector<registry::Difference> differences = registry::diff(a, b);
  if (context.common.json) {
    json out = json::array();
    for (const auto& d : differences)
      out.push_back({{"section", d.section}, {"what", d.what}, {"before", d.before}, {"after", d.after}});
    print_json(out);
    return kOk;
  }
  fmt::print("{} -> {}\n", before.str(), after.str());
  if (differences.empty()) fmt::print("nothing differs\n");
  std::string section;
  for (const registry::Difference& d : differences) {
    if (d.section != section) fmt::print("{}\n", coloured(Colour::kBold, d.section));
    section = d.section;
    if (!d.before.empty()) fmt::print("{}\n", coloured(Colour::kRed, fmt::format("  - {}: {}", d.what, d.before)));
    if (!d.after.empty()) fmt::print("{}\n", coloured(Colour::kGreen, fmt::format("  + {}: {}", d.what, d.after)));
  }
  return kOk;
}

}  // namespace

void add_registry_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  const std::string version_help = "MODEL@X.Y.Z, or MODEL@ALIAS";

  CLI::App* command = context.add(context.app, "register", "Register an immutable version of a model",
                                  "backstay register version.yaml");
  command->add_option("FILE", a.file, "The version's description (YAML); paths in it are relative to it")->required();
  command->add_flag("--dry-run", a.dry_run, "Store nothing; say what it would be, and which version number fits");
  command->add_flag("--reuse", a.reuse,
                    "If this version is registered with the same files, data and configuration, take it, though the "
                    "commit or the machine is another now: for pipelines, which run for every commit");
  command->add_flag("--no-git", a.no_git, "Don't record commit, repository and uncommitted changes");
  command->add_flag("--no-environment", a.no_environment, "Don't record this machine's system and hardware");
  command->add_option("--python", a.python, "Also record this interpreter's version and packages");
  context.on(command, [context, arguments] {
    return arguments->dry_run ? plan_version(context, *arguments) : register_version(context, *arguments);
  });

  command = context.add(context.app, "show", "Show everything a version is", "backstay show breast-cancer@1.1.0");
  command->add_option("VERSION", a.version, version_help)->required();
  context.on(command, [context, arguments] { return show(context, arguments->version); });

  command = context.add(context.app, "checkout", "Write a version's files to a folder, every digest verified",
                        "backstay checkout breast-cancer@1.1.0 ./model");
  command->add_option("VERSION", a.version, version_help)->required();
  command->add_option("FOLDER", a.folder, "A folder that is not there yet")->required();
  command->add_flag("--signature", a.with_signature, "Put the version's newest signature there too, as model.sig");
  command->add_flag("--verify", a.verify,
                    "Hash every byte now, also of files that are unchanged since they were hashed");
  context.on(command, [context, arguments] { return check_out(context, *arguments); });

  CLI::App* scorecard = context.app.add_subcommand("scorecard", "Measured metrics of a version");
  scorecard->require_subcommand(1);
  command = context.add(*scorecard, "add", "Add measured metrics to a version",
                        "backstay scorecard add breast-cancer@1.1.0 --file quality.json");
  command->add_option("VERSION", a.version, version_help)->required();
  command->add_option("--file", a.file, "The scorecard (YAML or JSON); - is standard input")->required();
  context.on(command, [context, arguments] { return add_scorecard(context, *arguments); });

  command = context.add(context.app, "diff", "What changed from one version to another",
                        "backstay diff breast-cancer@1.1.0 breast-cancer@2.0.0");
  command->add_option("BEFORE", a.version, version_help)->required();
  command->add_option("AFTER", a.other, version_help)->required();
  context.on(command, [context, arguments] { return diff(context, *arguments); });
}

}  // namespace backstay::cli
