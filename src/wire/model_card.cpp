#include "wire/model_card.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "wire/reports.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;
using registry::Metric;

struct Table {
  std::string caption;
  std::vector<std::vector<std::string>> rows;  ///< The first is the head.
};

struct Section {
  std::string title;
  std::vector<std::string> lines;
  std::vector<Table> tables;
};

std::string or_missing(const std::string& text) {
  return text.empty() ? "not recorded" : text;
}

std::string shape_text(const registry::TensorSpec& spec) {
  return fmt::format("{} {} [{}]", spec.name, spec.datatype, fmt::join(spec.shape, ", "));
}

Section details(const CardFacts& facts) {
  const registry::Manifest& m = facts.manifest;
  Section section{"Model details", {}, {}};
  Table table{"", {{"fact", "value"}}};
  const auto add = [&](const char* fact, const std::string& value) { table.rows.push_back({fact, value}); };
  add("version", m.ref.str());
  add("identity", "sha256:" + facts.manifest_sha256);
  add("stage", facts.stage);
  add("registered", fmt::format("{} by {}", facts.registered_at, facts.registered_by));
  add("why", or_missing(m.changelog));
  std::vector<std::string> parents = m.external_parents;
  for (const registry::VersionRef& parent : m.parents) parents.push_back(parent.str());
  if (!parents.empty()) add("made from", fmt::format("{}", fmt::join(parents, ", ")));
  add("code", m.code.commit.empty() ? "not recorded" : fmt::format("{} {}", m.code.repository, m.code.commit));
  if (!m.code.dirty_diff_sha256.empty()) add("uncommitted changes", "sha256:" + m.code.dirty_diff_sha256);
  for (const registry::TensorSpec& input : m.signature.inputs) add("input", shape_text(input));
  for (const registry::TensorSpec& output : m.signature.outputs) add("output", shape_text(output));
  for (const registry::Artifact& artifact : m.artifacts)
    add("artifact", fmt::format("{}, {} bytes, sha256:{}", artifact.path, artifact.size_bytes, artifact.sha256.hex()));
  add("scan of its artifacts", or_missing(facts.scan));
  const std::vector<std::string> missing = registry::missing_parts(m);
  add("missing for production", missing.empty() ? "nothing" : fmt::format("{}", fmt::join(missing, ", ")));
  section.tables.push_back(std::move(table));
  return section;
}

Section data(const CardFacts& facts) {
  Section section{"Data", {}, {}};
  Table table{"", {{"role", "data set", "slice", "rows", "sha256", "note"}}};
  for (const registry::DataSet& set : facts.manifest.data)
    for (const registry::DataSlice& slice : set.slices)
      table.rows.push_back({set.role, set.name, slice.name,
                            slice.rows == 0 ? "not counted" : std::to_string(slice.rows),
                            slice.sha256.hex().substr(0, 16), slice.note});
  if (table.rows.size() == 1) {
    section.lines.emplace_back("No data is recorded.");
  } else {
    section.tables.push_back(std::move(table));
  }
  return section;
}

Section training(const CardFacts& facts) {
  const registry::Manifest& m = facts.manifest;
  Section section{"Configuration and environment", {}, {}};
  Table table{"", {{"fact", "value"}}};
  for (const auto& [key, value] : m.config) table.rows.push_back({key, value});
  const registry::Environment& e = m.environment;
  for (const auto& [fact, value] :
       {std::pair{"image", e.image}, std::pair{"system", e.os}, std::pair{"hardware", e.hardware},
        std::pair{"python", e.python}, std::pair{"pinning", e.pinning}})
    if (!value.empty()) table.rows.push_back({fact, value});
  for (const auto& [name, version] : e.frameworks) table.rows.push_back({name, version});
  for (const registry::Dependency& d : m.dependencies)
    table.rows.push_back({fmt::format("{} {} ({})", d.direction, d.name, d.kind),
                          d.version.empty() ? "schema sha256:" + d.schema_sha256 : d.version});
  if (table.rows.size() == 1) {
    section.lines.emplace_back("Nothing is recorded.");
  } else {
    section.tables.push_back(std::move(table));
  }
  return section;
}

/// The newest scorecard of each kind and data set, first recorded first.
std::vector<const registry::StoredScorecard*> newest(const CardFacts& facts) {
  std::map<std::pair<int, std::string>, const registry::StoredScorecard*> by_key;
  for (const registry::StoredScorecard& stored : facts.scorecards)
    by_key[{static_cast<int>(stored.scorecard.kind), stored.scorecard.dataset}] = &stored;
  std::vector<const registry::StoredScorecard*> out;
  for (const auto& [key, stored] : by_key) out.push_back(stored);
  std::sort(out.begin(), out.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  return out;
}

Section measured(const CardFacts& facts, bool groups) {
  Section section{groups ? "By group" : "Metrics", {}, {}};
  for (const registry::StoredScorecard* stored : newest(facts)) {
    const registry::Scorecard& card = stored->scorecard;
    Table table{fmt::format("{} on {}, by {} ({}), {}{}", registry::to_string(card.kind),
                            card.dataset.empty() ? "an unnamed data set" : card.dataset, or_missing(card.evaluator),
                            registry::to_string(card.source), to_rfc3339(stored->at).substr(0, 10),
                            card.confidence ? fmt::format(", limits at {:g}", *card.confidence) : ""),
                {{"metric", "group", "value", "samples"}}};
    for (const Metric& metric : card.metrics) {
      if (metric.group.empty() == groups) continue;
      const std::string against = metric.baseline.empty() ? "" : " (from " + metric.baseline + ")";
      table.rows.push_back({metric.name + against, metric.group.empty() ? "everyone" : metric.group,
                            value_with_limits(metric), std::to_string(metric.samples)});
    }
    if (table.rows.size() > 1) section.tables.push_back(std::move(table));
  }
  if (section.tables.empty())
    section.lines.emplace_back(groups ? "Nothing was measured by group." : "Nothing was measured.");
  return section;
}

Section verdicts(const CardFacts& facts) {
  Section section{"Gates", {}, {}};
  for (const CardVerdict& verdict : facts.verdicts) {
    Table table{fmt::format("{}: {} by {}, {} (gate file sha256:{})", verdict.gate, verdict.verdict, verdict.decided_by,
                            verdict.at.substr(0, 10), verdict.gate_sha256.substr(0, 16)),
                {{"rule", "observed", "verdict"}}};
    const json evidence = json::parse(verdict.evidence_json, nullptr, false);
    if (evidence.is_object() && evidence.contains("rows"))
      for (const json& row : evidence["rows"])
        table.rows.push_back({row.value("rule", ""), row.value("observed", ""), row.value("decision", "")});
    section.tables.push_back(std::move(table));
  }
  if (facts.verdicts.empty()) section.lines.emplace_back("No gate has judged this version.");
  for (const CardException& exception : facts.exceptions)
    section.lines.push_back(fmt::format("Exception from {}, signed with the key {} by {} on {}, until {}: {}. {}",
                                        exception.from, exception.key_id.substr(0, 16), exception.signed_by,
                                        exception.at.substr(0, 10), exception.expires, exception.reason,
                                        exception.why_void.empty()
                                            ? "It counts for endpoints whose exception_keys have the key."
                                            : fmt::format("It counts nowhere: it {}.", exception.why_void)));
  return section;
}

/// What a reader must not take for granted.
Section caveats(const CardFacts& facts) {
  Section section{"Caveats", {}, {}};
  for (const CardVerdict& verdict : facts.verdicts) {
    const json evidence = json::parse(verdict.evidence_json, nullptr, false);
    if (!evidence.is_object() || !evidence.contains("rows")) continue;
    for (const json& row : evidence["rows"])
      if (row.value("decision", "") != "PASS")
        section.lines.push_back(fmt::format("Gate {}: {} is {}. {}", verdict.gate, row.value("rule", ""),
                                            row.value("decision", ""), row.value("explanation", "")));
  }
  for (const std::string& finding : facts.manifest.environment.findings)
    section.lines.push_back("Environment: " + finding);
  if (facts.scan != "safe" && !facts.scan.empty())
    section.lines.push_back(fmt::format("The scan of its artifacts says {}.", facts.scan));
  section.lines.emplace_back(
      "The registry records no intended use and no users that it is not meant for: ask its owners.");
  return section;
}

std::vector<Section> sections_of(const CardFacts& facts) {
  return {details(facts), measured(facts, false), measured(facts, true), verdicts(facts),
          data(facts),    training(facts),        caveats(facts)};
}

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "table{border-collapse:collapse;margin:.5rem 0 "
    "1.5rem;width:100%}caption{text-align:left;color:#57606a;padding:.25rem 0}"
    "th,td{border-bottom:1px solid #d0d7de;padding:.3rem "
    ".6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}th,td{border-color:#30363d}"
    "caption{color:#9198a1}}";

}  // namespace

std::string model_card_markdown(const CardFacts& facts) {
  std::string out = fmt::format("# Model card: {}\n", markdown_cell(facts.manifest.ref.str()));
  for (const Section& section : sections_of(facts)) {
    out += fmt::format("\n## {}\n", section.title);
    for (const std::string& line : section.lines) out += fmt::format("\n- {}", markdown_cell(line));
    if (!section.lines.empty()) out += '\n';
    for (const Table& table : section.tables) {
      if (!table.caption.empty()) out += fmt::format("\n{}\n", markdown_cell(table.caption));
      out += '\n';
      for (const auto& row : table.rows) {
        out += '|';
        for (const std::string& cell : row) out += fmt::format(" {} |", markdown_cell(cell));
        out += '\n';
        if (&row != table.rows.data()) continue;
        out += '|';
        for (std::size_t i = 0; i < row.size(); ++i) out += "---|";
        out += '\n';
      }
    }
  }
  return out;
}

std::string model_card_html(const CardFacts& facts) {
  const std::string title = xml_text(facts.manifest.ref.str());
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width\">\n<title>Model card: {}</title>\n<style>{}</style>\n</head>\n<body>\n<h1>Model "
      "card: "
      "{}</h1>\n",
      title, kStyle, title);
  for (const Section& section : sections_of(facts)) {
    out += fmt::format("<h2>{}</h2>\n", section.title);
    if (!section.lines.empty()) {
      out += "<ul>\n";
      for (const std::string& line : section.lines) out += fmt::format("<li>{}</li>\n", xml_text(line));
      out += "</ul>\n";
    }
    for (const Table& table : section.tables) {
      out += "<table>\n";
      if (!table.caption.empty()) out += fmt::format("<caption>{}</caption>\n", xml_text(table.caption));
      for (const auto& row : table.rows) {
        const char* element = &row == table.rows.data() ? "th" : "td";
        out += "<tr>";
        for (const std::string& cell : row) out += fmt::format("<{0}>{1}</{0}>", element, xml_text(cell));
        out += "</tr>\n";
      }
      out += "</table>\n";
    }
  }
  return out + "</body>\n</html>\n";
}

}  // namespace backstay::wire
