#include "wire/reports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace backstay::wire {

using gates::Decision;
using nlohmann::json;

namespace {

std::size_t count(const gates::Verdict& verdict, Decision decision) {
  return static_cast<std::size_t>(std::count_if(verdict.rows.begin(), verdict.rows.end(),
                                                [&](const gates::Row& row) { return row.decision == decision; }));
}

std::string sentence(const gates::Row& row) {
  return fmt::format("{}: {}. {}", row.rule, row.observed, row.explanation);
}

/// A file's path as a URI reference (RFC 3986): every byte that may not stand in a path as it is, as %XX. A "./" keeps
/// a colon in the first part from ending a scheme.
std::string uri_of(const std::string& path) {
  std::string out;
  for (const char c : path) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || std::string_view("-._~!$&'()*+,;=:@/").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  const std::size_t colon = out.find(':');
  return colon != std::string::npos && colon < out.find('/') ? "./" + out : out;
}

/// What a workflow command takes for its own (docs.github.com, workflow commands).
std::string escaped(const std::string& text, bool property) {
  std::string out;
  for (const char c : without_direction(text)) {
    const bool special = c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','));
    const bool drives_a_terminal = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (special) {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += drives_a_terminal ? '?' : c;
    }
  }
  return out;
}

/// An identifier that stays the same while the rule does.
std::string rule_id(const gates::Row& row) {
  return "gate/" + sha256(row.rule).hex().substr(0, 12);
}

}  // namespace

std::string without_direction(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto at = [&](std::size_t k) { return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U; };
    const bool mark =
        at(0) == 0xe2 && at(1) == 0x80 && (at(2) == 0x8e || at(2) == 0x8f || (at(2) >= 0xaa && at(2) <= 0xae));
    const bool isolate = at(0) == 0xe2 && at(1) == 0x81 && at(2) >= 0xa6 && at(2) <= 0xa9;
    const bool arabic = at(0) == 0xd8 && at(1) == 0x9c;
    if (mark || isolate || arabic) {
      out += '?';
      i += arabic ? 1 : 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string xml_text(const std::string& text) {
  std::string out;
  for (const char c : is_utf8(text) ? without_direction(text) : std::string("(not UTF-8)")) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default:
        // XML 1.0 has no other control characters.
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

std::string markdown_cell(const std::string& text) {
  std::string out;
  for (const char c : without_direction(text)) {
    if (c == '\n' || c == '\r') {
      out += ' ';
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '[' || c == ']') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string value_with_limits(const registry::Metric& metric) {
  std::string text = fmt::format("{:.4g}", metric.value);
  if (metric.lower && metric.upper && *metric.lower != *metric.upper)
    text += fmt::format(" [{:.4g}, {:.4g}]", *metric.lower, *metric.upper);
  return text;
}

std::string to_junit(const GateReport& report) {
  const gates::Verdict& verdict = report.verdict;
  const std::string suite = xml_text(fmt::format("gate {} of {}", report.gate, report.version.str()));
  const std::string counts = fmt::format(R"(tests="{}" failures="{}" errors="{}")", verdict.rows.size(),
                                         count(verdict, Decision::kFail), count(verdict, Decision::kInsufficient));
  std::string out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"backstay\" {}>\n"
      "  <testsuite name=\"{}\" {}>\n",
      counts, suite, counts);
  for (const gates::Row& row : verdict.rows) {
    out += fmt::format("    <testcase classname=\"{}\" name=\"{}\">\n", suite, xml_text(row.rule));
    const char* element = row.decision == Decision::kFail ? "failure" : "error";
    if (row.decision != Decision::kPass)
      out += fmt::format("      <{} type=\"{}\" message=\"{}\">{}</{}>\n", element, gates::to_string(row.decision),
                         xml_text(row.observed), xml_text(sentence(row)), element);
    out += fmt::format("      <system-out>{}</system-out>\n    </testcase>\n", xml_text(row.observed));
  }
  return out + "  </testsuite>\n</testsuites>\n";
}

std::string to_sarif(const GateReport& report) {
  json rules = json::array();
  json results = json::array();
  for (const gates::Row& row : report.verdict.rows) {
    const std::string id = rule_id(row);
    const bool known = std::any_of(rules.begin(), rules.end(), [&](const json& rule) { return rule["id"] == id; });
    if (!known) rules.push_back({{"id", id}, {"name", "GateRule"}, {"shortDescription", {{"text", row.rule}}}});
    if (row.decision == Decision::kPass) continue;
    results.push_back(
        {{"ruleId", id},
         {"level", row.decision == Decision::kFail ? "error" : "warning"},
         {"message", {{"text", fmt::format("{} ({})", sentence(row), gates::to_string(row.decision))}}},
         {"partialFingerprints", {{"rule/v1", sha256(report.version.model + "\n" + row.rule).hex()}}},
         {"locations",
          {{{"physicalLocation",
             {{"artifactLocation", {{"uri", uri_of(report.gate_file)}}}, {"region", {{"startLine", 1}}}}},
            {"logicalLocations", {{{"fullyQualifiedName", report.version.str()}, {"kind", "resource"}}}}}}}});
  }
  const json root{
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
      {"version", "2.1.0"},
      {"runs",
       {{{"tool",
          {{"driver", {{"name", "backstay"}, {"version", report.program_version}, {"rules", std::move(rules)}}}}},
         {"results", std::move(results)}}}}};
  return root.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string to_github_annotations(const GateReport& report) {
  std::string out;
  for (const gates::Row& row : report.verdict.rows) {
    if (row.decision == Decision::kPass) continue;
    out += fmt::format(
        "::{} file={},title={}::{}\n", row.decision == Decision::kFail ? "error" : "warning",
        escaped(report.gate_file, true),
        escaped(fmt::format("{} {} of {}", gates::to_string(row.decision), row.rule, report.version.str()), true),
        escaped(sentence(row), false));
  }
  return out;
}

std::string to_markdown(const GateReport& report) {
  std::string out = fmt::format("## {}: gate {} of {}\n\n", gates::to_string(report.verdict.decision),
                                markdown_cell(report.gate), markdown_cell(report.version.str()));
  if (!report.baseline.empty())
    out += fmt::format("Compared with {} on the same rows.\n\n", markdown_cell(report.baseline));
  std::string written;
  for (const gates::Row& row : report.verdict.rows)
    if (row.by_hand) written += (written.empty() ? "" : ", ") + markdown_cell(row.rule);
  if (!written.empty()) out += fmt::format("On scorecards that were written by hand: {}.\n\n", written);
  out += "| rule | observed | verdict | |\n|---|---|---|---|\n";
  for (const gates::Row& row : report.verdict.rows) {
    const bool pass = row.decision == Decision::kPass;
    const std::string verdict = gates::to_string(row.decision);
    out += fmt::format("| {} | {} | {} | {} |\n", markdown_cell(row.rule), markdown_cell(row.observed),
                       pass ? verdict : "**" + verdict + "**", pass ? "" : markdown_cell(row.explanation));
  }
  for (auto card = report.scorecards.rbegin(); card != report.scorecards.rend(); ++card) {
    out += fmt::format(
        "\n<details><summary>{} on {}</summary>\n\n| metric | group | value | samples |\n|---|---|---|---|\n",
        registry::to_string(card->kind), xml_text(card->dataset));
    for (const registry::Metric& metric : card->metrics)
      out += fmt::format("| {} | {} | {} | {} |\n", markdown_cell(metric.name), markdown_cell(metric.group),
                         value_with_limits(metric), metric.samples);
    out += "\n</details>\n";
  }
  return out;
}

}  // namespace backstay::wire
