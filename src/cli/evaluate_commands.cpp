#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/gate_view.hpp"
#include "cli/printable.hpp"
#include "cli/progress.hpp"
#include "cli/report_files.hpp"
#include "cli/terminal.hpp"
#include "services/evaluate_gate.hpp"
#include "services/evaluate_version.hpp"
#include "services/import_evaluation.hpp"
#include "services/scan_version.hpp"
#include "wire/answers_jsonl.hpp"
#include "wire/reports.hpp"
#include "wire/scorecard_json.hpp"

/// Measures a version over declared data, through its own backend.
namespace backstay::cli {

using nlohmann::json;
using registry::VersionRef;

namespace {

struct Arguments {
  std::string version;
  std::string suite;
  std::string gate;
  std::string against = "production";
  std::string answers;
  ReportFiles reports;
  std::string file;
  std::string key;
};

Result<std::optional<VersionRef>> baseline_of(OpenRegistry& opened, const VersionRef& ref, const std::string& against) {
  if (against == "none") return std::optional<VersionRef>();
  if (against == "production") return services::production_of(opened.registry().versions, ref);
  TRY(const VersionRef named, services::resolve_version(opened.records(), against));
  if (named.model != ref.model)
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is a version of another model.", named.str()),
                      "Compare with a version of the same model, or use --against none.");
  return std::optional(named);
}

/// Overall figures in full, groups below them.
/// While it lives, an interrupt (Ctrl-C) or SIGTERM says how to go on before it ends the program as it always does.
class InterruptNote {
 public:
  InterruptNote() {
    struct sigaction action {};
    action.sa_handler = tell;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &before_[i]);
  }
  ~InterruptNote() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  InterruptNote(const InterruptNote&) = delete;
  InterruptNote& operator=(const InterruptNote&) = delete;

 private:
  static constexpr std::array<int, 2> kSignals{SIGINT, SIGTERM};
  // Only what a signal handler may do.
  static void tell(int signal) {
    constexpr std::string_view kText =
        "\ninterrupted: the same command goes on where it was; answers so far are kept.\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kText.data(), kText.size());
    raise(signal);  // SA_RESETHAND: with what it does by itself.
  }
  std::array<struct sigaction, 2> before_{};
};

void print_scorecards(const services::Evaluation& done) {
  for (auto stored = done.scorecards.rbegin(); stored != done.scorecards.rend(); ++stored) {
    const registry::Scorecard& card = stored->scorecard;
    fmt::print("{}\n", coloured(Colour::kBold, fmt::format("{} on {}", registry::to_string(card.kind), card.dataset)));
    std::vector<std::vector<std::string>> rows{{"METRIC", "GROUP", "VALUE", "SAMPLES"}};
    for (const registry::Metric& metric : card.metrics)
      rows.push_back({metric.name, metric.group, wire::value_with_limits(metric), std::to_string(metric.samples)});
    fmt::print("{}", table(rows));
  }
}

json scorecards_json(const services::Evaluation& done) {
  json list = json::array();
  for (const registry::StoredScorecard& stored : done.scorecards) {
    json item = json::parse(wire::to_json(stored.scorecard));
    item["id"] = stored.id;
    item["at"] = to_rfc3339(stored.at);
    list.push_back(std::move(item));
  }
  return list;
}

wire::GateReport report_of(const Context& context, const Arguments& arguments,
                           const services::EvaluationRequest& request, const services::Evaluation& done,
                           const services::GateDecision& decision) {
  wire::GateReport report{request.version, decision.stored.gate, arguments.gate, decision.verdict, {}, "", ""};
  for (const registry::StoredScorecard& stored : done.scorecards) report.scorecards.push_back(stored.scorecard);
  if (request.baseline) report.baseline = request.baseline->str();
  report.program_version = context.program.version;
  return report;
}

Result<ExitCode> evaluate(const Context& context, const Arguments& arguments) {
  if (arguments.reports.any() && arguments.gate.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "There is no verdict to report without a gate.",
                      "Give it as --gate GATE.yaml.");
  TRY_DO(arguments.reports.check());
  TRY_DO(check_writable(arguments.answers));
  TRY(const std::string suite_text, read_text(arguments.suite));
  std::string gate_text;
  if (!arguments.gate.empty()) {
    TRY(gate_text, read_text(arguments.gate));
  }
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  const services::Actor actor{context.common.actor};
  TRY_DO(services::ensure_scanned(opened->registry(), ref, actor));
  services::EvaluationRequest request;
  request.version = ref;
  request.suite_name = arguments.suite;
  request.suite_text = suite_text;
  request.folder = std::filesystem::path(arguments.suite).parent_path();
  request.program_version = context.program.version;
  request.progress = progress_on_terminal(Unit::kItems);
  TRY(request.baseline, baseline_of(*opened, ref, arguments.against));
  std::optional<InterruptNote> note;
  note.emplace();
  TRY(const services::Evaluation done, services::evaluate_version(opened->evaluation(), request, actor));
  note.reset();
  request.progress = {};  // Wipes its line.
  print_warnings(done.warnings);
  if (!arguments.answers.empty()) {
    std::string lines;
    for (const auto& [set, output] : done.answers) lines += wire::answers_to_jsonl(set, output);
    TRY_DO(write_text(arguments.answers, lines));
  }
  std::optional<services::GateDecision> decision;
  if (!arguments.gate.empty()) {
    TRY(decision, services::evaluate_gate(opened->registry().versions, ref, arguments.gate, gate_text, actor,
                                          system_clock().now()));
    print_warnings(decision->warnings);
  }
  if (decision)
    TRY_DO(arguments.reports.write(report_of(context, arguments, request, done, *decision), context.common.json));
  if (context.common.json) {
    json out{{"version", ref.str()},
             {"suite", done.suite.name},
             {"suite_sha256", done.suite_sha256.hex()},
             {"rows", done.rows},
             {"resumed_rows", done.resumed_rows},
             {"restarts", done.restarts},
             {"warnings", done.warnings},
             {"baseline", request.baseline ? json(request.baseline->str()) : json()},
             {"scorecards", scorecards_json(done)}};
    if (decision) {
      out["gate"] = decision->stored.gate;
      out["verdict"] = json::parse(decision->stored.evidence);
      out["gate_warnings"] = decision->warnings;
    }
    print_json(out);
  } else {
    print_scorecards(done);
    if (done.resumed_rows > 0)
      fmt::print("{} of {} rows were answered before it was interrupted\n", done.resumed_rows, done.rows);
    if (request.baseline) fmt::print("compared with {} on the same rows\n", request.baseline->str());
    if (decision) print_verdict(decision->stored.gate, ref, decision->verdict);
  }
  return decision ? exit_of(decision->verdict.decision) : kOk;
}

Result<ExitCode> import_scorecards(const Context& context, const Arguments& arguments) {
  TRY(const std::string envelope, read_text(arguments.file));
  TRY(const std::string pem, read_text(arguments.key));
  TRY(const signing::PublicKey trusted, signing::PublicKey::from_pem(pem));
  TRY(const auto opened, context.open());
  TRY(const VersionRef ref, services::resolve_version(opened->records(), arguments.version));
  TRY(const services::ImportedEvaluation done,
      services::import_evaluation(opened->registry().versions, ref, arguments.file, envelope, trusted,
                                  {context.common.actor}));
  if (context.common.json) {
    json list = json::array();
    for (const registry::StoredScorecard& stored : done.scorecards)
      list.push_back({{"id", stored.id}, {"at", to_rfc3339(stored.at)}});
    print_json({{"scorecards", std::move(list)},
                {"statement_sha256", done.statement_sha256.hex()},
                {"key_sha256", done.key_id}});
  } else {
    fmt::print("added {} scorecards to {}, signed by key {}\n", done.scorecards.size(), ref.str(),
               done.key_id.substr(0, 16));
  }
  return kOk;
}

}  // namespace

void add_evaluate_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* command = context.add(
      context.app, "evaluate", "Measure a version over evaluation sets, through its own backend, into scorecards",
      "backstay evaluate breast-cancer@1.1.0 --suite suite.yaml\n  backstay evaluate breast-cancer@1.1.0 --suite "
      "suite.yaml --gate production.yaml");
  command->add_option("VERSION", a.version, "MODEL@X.Y.Z, or MODEL@ALIAS")->required();
  command->add_option("--suite", a.suite, "The evaluation suite (YAML); its files are relative to it")->required();
  command->add_option("--gate", a.gate, "Then judge it by this gate (YAML); exit 0 PASS, 6 FAIL, 8 INSUFFICIENT");
  command->add_option("--against", a.against, "Compare on the same rows with: production, none, or a version")
      ->capture_default_str();
  command->add_option("--answers", a.answers, "Write every row's answers (JSON Lines), for golden: of a suite");
  a.reports.add_options(*command);
  context.on(command, [context, arguments] { return evaluate(context, *arguments); });

  CLI::App* scorecard = context.app.get_subcommand("scorecard");
  command = context.add(*scorecard, "import", "Add what somebody else measured and signed (in-toto test result)",
                        "backstay scorecard import breast-cancer@1.1.0 --file result.json --key lab.pem.pub");
  command->add_option("VERSION", a.version, "MODEL@X.Y.Z, or MODEL@ALIAS")->required();
  command->add_option("--file", a.file, "The signed statement (DSSE); - is standard input")->required();
  command->add_option("--key", a.key, "The public key of whom you trust to measure it (PEM)")->required();
  context.on(command, [context, arguments] { return import_scorecards(context, *arguments); });
}

}  // namespace backstay::cli
