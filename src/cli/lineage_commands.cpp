#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "api/json.hpp"
#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "services/lineage.hpp"
#include "wire/openlineage.hpp"

/// Commands about lineage: trace back, impact forward, quarantine.
namespace backstay::cli {

using nlohmann::json;
using registry::VersionRef;
using services::Impact;
using services::Trace;

namespace {

struct Arguments {
  std::string what;
  std::string kind;
  std::string format = "text";
  std::string file;
  std::string reason;
  bool quarantine = false;
};

std::string second(Timestamp at) {
  return to_rfc3339(at).substr(0, 19) + "Z";
}

/// To the file that was asked for, else to standard output.
Result<void> deliver(const Arguments& a, const std::string& text) {
  if (a.file.empty()) {
    fmt::print("{}", text);
    return {};
  }
  std::ofstream out(a.file, std::ios::binary);
  out << text;
  out.close();
  if (!out)
    return Unexpected(ErrorCode::kUnavailable, fmt::format("{} can't be written.", a.file), "Check its folder.");
  return {};
}

json window_json(const TrafficWindow& window) {
  return {{"endpoint", window.endpoint},
          {"version", window.ref.str()},
          {"role", traffic::to_string(window.role)},
          {"share", window.ppm / 1e6},
          {"rollout", window.rollout},
          {"from", to_rfc3339(window.from)},
          {"until", window.until ? json(to_rfc3339(*window.until)) : json(nullptr)}};
}

json windows_json(const std::vector<TrafficWindow>& windows) {
  json out = json::array();
  for (const TrafficWindow& window : windows) out.push_back(window_json(window));
  return out;
}

std::string window_text(const TrafficWindow& window) {
  return fmt::format("{}  {:g}% {}  {} to {}  {}", window.endpoint, window.ppm / 1e4, traffic::to_string(window.role),
                     second(window.from), window.until ? second(*window.until) : "now", window.rollout);
}

json origin_json(const services::Origin& origin) {
  json out = api::to_json(origin.version);
  out["manifest"] = json::parse(origin.version.manifest_json);
  return out;
}

json trace_json(const Trace& trace) {
  json out{{"version", origin_json(trace.version)}, {"traffic", windows_json(trace.traffic)}};
  out["ancestors"] = json::array();
  for (const services::Origin& ancestor : trace.ancestors) out["ancestors"].push_back(origin_json(ancestor));
  out["unknown_parents"] = json::array();
  for (const VersionRef& parent : trace.unknown_parents) out["unknown_parents"].push_back(parent.str());
  out["prediction"] = nullptr;
  if (trace.prediction) {
    std::string hex;
    trace.prediction->id.append_hex(hex);
    out["prediction"] = {
        {"id", hex},
        {"endpoint", trace.prediction->endpoint},
        {"at", to_rfc3339(trace.prediction->at)},
        {"traffic", trace.prediction->window ? window_json(*trace.prediction->window) : json(nullptr)}};
  }
  return out;
}

void print_origin(const services::Origin& origin) {
  const registry::Manifest& m = origin.manifest;
  fmt::print("{}  {}  registered {} by {}\n", coloured(Colour::kBold, m.ref.str()), origin.version.stage,
             second(origin.version.registered_at), origin.version.registered_by);
  for (const registry::DataSet& set : m.data) {
    for (const registry::DataSlice& slice : set.slices)
      fmt::print("  data    {} {}/{}{}  sha256:{}{}\n", set.role, set.name, slice.name,
                 slice.rows > 0 ? fmt::format("  {} rows", slice.rows) : "", slice.sha256.hex().substr(0, 12),
                 slice.note.empty() ? "" : "  " + slice.note);
  }
  if (!m.code.commit.empty()) fmt::print("  code    {} {}{}\n", m.code.repository, m.code.commit, uncommitted(m.code));
  for (const registry::FileDigest& file : m.code.preprocessing)
    fmt::print("  code    {}  sha256:{}\n", file.path, file.sha256.hex().substr(0, 12));
  for (const auto& [key, value] : m.config) fmt::print("  config  {} = {}\n", key, value);
  for (const VersionRef& parent : m.parents) fmt::print("  parent  {}\n", parent.str());
  for (const std::string& parent : m.external_parents) fmt::print("  parent  {} (elsewhere)\n", parent);
}

void print_trace(const Trace& trace) {
  if (trace.prediction) {
    const services::PredictionFacts& facts = *trace.prediction;
    fmt::print("answered by {} on endpoint {} at {}\n", coloured(Colour::kBold, trace.version.manifest.ref.str()),
               facts.endpoint, second(facts.at));
    if (facts.window) {
      fmt::print("it had {:g}% of the requests then, as {} of rollout {}\n\n", facts.window->ppm / 1e4,
                 traffic::to_string(facts.window->role), facts.window->rollout);
    } else {
      fmt::print(
          "{} the version had no traffic there at that time, except what failed elsewhere and was replayed; the "
          "id may be made up\n\n",
          coloured(Colour::kYellow, "unconfirmed:"));
    }
  }
  print_origin(trace.version);
  for (const services::Origin& ancestor : trace.ancestors) print_origin(ancestor);
  for (const VersionRef& parent : trace.unknown_parents)
    fmt::print("{}  {}\n", parent.str(), coloured(Colour::kYellow, "is not in this registry"));
  if (!trace.prediction)
    for (const TrafficWindow& window : trace.traffic) fmt::print("  traffic {}\n", window_text(window));
}

std::string openlineage(const Trace& trace) {
  std::string out;
  // Parents first: a reader knows a run's inputs when it comes to it.
  for (auto ancestor = trace.ancestors.rbegin(); ancestor != trace.ancestors.rend(); ++ancestor)
    out += wire::openlineage_events(ancestor->manifest, ancestor->version.identity,
                                    to_rfc3339(ancestor->version.registered_at));
  return out + wire::openlineage_events(trace.version.manifest, trace.version.version.identity,
                                        to_rfc3339(trace.version.version.registered_at));
}

Result<ExitCode> trace(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  const services::Records records = opened->records();
  const bool is_version = a.what.find('@') != std::string::npos;
  const Result<Trace> found = [&]() -> Result<Trace> {
    if (is_version) {
      TRY(const VersionRef ref, services::resolve_version(records, a.what));
      return services::trace_version(records, ref);
    }
    TRY(const traffic::PredictionId id, traffic::PredictionId::parse(a.what));
    return services::trace_prediction(records, id);
  }();
  TRY_DO(found);
  if (context.common.json) {
    print_json(trace_json(*found));
  } else if (a.format == "text") {
    print_trace(*found);
  } else if (a.format == "openlineage") {
    TRY_DO(deliver(a, openlineage(*found)));
  } else {
    const lineage::Graph graph = services::graph_of(*found);
    TRY_DO(deliver(a, a.format == "svg" ? graph.svg() : graph.mermaid()));
  }
  return kOk;
}

json impact_json(const Impact& impact) {
  json out{{"subject", {{"kind", lineage::to_string(impact.subject.kind)}, {"name", impact.subject.text}}}};
  out["versions"] = json::array();
  for (const services::Reached& reached : impact.versions)
    out["versions"].push_back({{"version", reached.version.ref.str()},
                               {"stage", reached.version.stage},
                               {"through", reached.through ? json(reached.through->str()) : json(nullptr)},
                               {"traffic", windows_json(reached.traffic)}});
  out["proposals"] = json::array();
  for (const services::Proposal& proposal : impact.proposals)
    out["proposals"].push_back({{"endpoint", proposal.endpoint},
                                {"affected", proposal.affected.str()},
                                {"target", proposal.target ? json(proposal.target->str()) : json(nullptr)},
                                {"command", proposal.command},
                                {"reason", proposal.reason}});
  return out;
}

void print_impact(const Impact& impact) {
  fmt::print("{} reached {} version{}\n", coloured(Colour::kBold, lineage::describe(impact.subject)),
             impact.versions.size(), impact.versions.size() == 1 ? "" : "s");
  for (const services::Reached& reached : impact.versions) {
    fmt::print("  {}  {}{}\n", coloured(Colour::kBold, reached.version.ref.str()), reached.version.stage,
               reached.through ? "  through its parent " + reached.through->str() : "");
    for (const TrafficWindow& window : reached.traffic) fmt::print("    {}\n", window_text(window));
    if (reached.traffic.empty()) fmt::print("    {}\n", coloured(Colour::kDim, "served nobody"));
  }
  if (impact.proposals.empty()) return;
  fmt::print("\nserving now:\n");
  for (const services::Proposal& proposal : impact.proposals) {
    fmt::print("  {} serves {}: {}\n", proposal.endpoint, coloured(Colour::kRed, proposal.affected.str()),
               proposal.target ? "return to " + proposal.target->str() + ", " + proposal.reason : proposal.reason);
    if (!proposal.command.empty()) fmt::print("    {}\n", proposal.command);
  }
}

Result<void> block(const Context& context, const services::Records& records, const lineage::Subject& subject, bool on,
                   const std::string& reason) {
  return records.lineage.quarantine(
      subject, on,
      {context.common.actor, on ? "quarantine.add" : "quarantine.lift", lineage::describe(subject), reason, "{}"});
}

Result<ExitCode> impact(const Context& context, const Arguments& a) {
  if (a.quarantine && a.reason.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "A quarantine needs a reason.", "Give --reason.");
  TRY(const auto opened, context.open());
  const services::Records records = opened->records();
  TRY(const lineage::Subject subject, services::find_subject(records, a.what, a.kind));
  if (a.quarantine) TRY_DO(block(context, records, subject, true, a.reason));
  TRY(const Impact found, services::impact_of(records, subject));
  if (context.common.json) {
    json out = impact_json(found);
    out["quarantined"] = a.quarantine;
    print_json(out);
  } else if (a.format == "text") {
    if (a.quarantine)
      fmt::print("{} nothing that was made from it can be released until it is lifted\n",
                 coloured(Colour::kRed, "in quarantine:"));
    print_impact(found);
  } else {
    const lineage::Graph graph = services::graph_of(found);
    TRY_DO(deliver(a, a.format == "svg" ? graph.svg() : graph.mermaid()));
  }
  return kOk;
}

Result<ExitCode> lift(const Context& context, const Arguments& a) {
  TRY(const auto opened, context.open());
  TRY(const lineage::Subject subject, services::find_subject(opened->records(), a.what, a.kind));
  TRY_DO(block(context, opened->records(), subject, false, a.reason));
  if (context.common.json) {
    print_json({{"kind", lineage::to_string(subject.kind)}, {"name", subject.text}, {"quarantined", false}});
  } else {
    fmt::print("{} is not in quarantine any more\n", lineage::describe(subject));
  }
  return kOk;
}

Result<ExitCode> list_quarantines(const Context& context) {
  TRY(const auto opened, context.open());
  TRY(const std::vector<Quarantine> quarantines, opened->records().lineage.quarantines());
  json out = json::array();
  for (const Quarantine& quarantine : quarantines) {
    out.push_back({{"kind", lineage::to_string(quarantine.subject.kind)},
                   {"name", quarantine.subject.text},
                   {"reason", quarantine.reason},
                   {"actor", quarantine.actor},
                   {"at", to_rfc3339(quarantine.at)}});
    if (!context.common.json)
      fmt::print("{}  {}  by {}: {}\n", second(quarantine.at), lineage::describe(quarantine.subject), quarantine.actor,
                 quarantine.reason);
  }
  if (context.common.json) print_json(out);
  if (!context.common.json && quarantines.empty()) fmt::print("Nothing is in quarantine.\n");
  return kOk;
}

void add_quarantine_commands(const Context& context, const std::shared_ptr<Arguments>& arguments) {
  Arguments& a = *arguments;
  CLI::App* group = context.app.add_subcommand("quarantine", "What is blocked from release");
  group->require_subcommand(1);
  CLI::App* command = context.add(*group, "list", "What is in quarantine, and why", "backstay quarantine list");
  context.on(command, [context] { return list_quarantines(context); });
  command = context.add(*group, "lift", "End a quarantine",
                        "backstay quarantine lift wdbc/site-d --reason \"labels corrected\"");
  command->add_option("SUBJECT", a.what, "As backstay quarantine list names it")->required();
  command->add_option("--kind", a.kind, "slice, slice_digest, data_set, commit or version");
  command->add_option("--reason", a.reason, "Why, for the audit log")->required();
  context.on(command, [context, arguments] { return lift(context, *arguments); });
}

}  // namespace

void add_lineage_commands(const Context& context) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::App* command =
      context.add(context.app, "trace", "From a prediction or version back to its data, code and configuration",
                  "backstay trace 000000036925e0a1c0ffee0123456789\n  backstay trace breast-cancer@1.1.0 "
                  "--format svg --out lineage.svg");
  command->add_option("WHAT", a.what, "A Backstay-Prediction-Id, or MODEL@X.Y.Z")->required();
  command->add_option("--format", a.format, "text, mermaid, svg or openlineage")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "mermaid", "svg", "openlineage"}));
  command->add_option("--out", a.file, "Write the picture or the events to this file");
  context.on(command, [context, arguments] { return trace(context, *arguments); });

  command =
      context.add(context.app, "impact", "From a slice, data set, commit or version forward to all that it reached",
                  "backstay impact wdbc/site-d --quarantine --reason \"labels are flipped\"");
  command->add_option("SUBJECT", a.what, "DATASET/SLICE, DATASET, a commit or digest (7 digits or more), MODEL@X.Y.Z")
      ->required();
  command->add_option("--kind", a.kind, "slice, slice_digest, data_set, commit or version, when the name is ambiguous");
  command->add_flag("--quarantine", a.quarantine, "Block the release of everything that was made from it");
  command->add_option("--reason", a.reason, "Why, for the audit log");
  command->add_option("--format", a.format, "text, mermaid or svg")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "mermaid", "svg"}));
  command->add_option("--out", a.file, "Write the picture to this file");
  context.on(command, [context, arguments] { return impact(context, *arguments); });

  add_quarantine_commands(context, arguments);
}

}  // namespace backstay::cli
