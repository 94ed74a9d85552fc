#include "wire/scan_json.hpp"

#include <nlohmann/json.hpp>

#include "wire/document.hpp"

namespace backstay::wire {

using nlohmann::json;

std::string to_json(const scan::Report& report) {
  json findings = json::array();
  for (const scan::Finding& finding : report.findings) {
    findings.push_back({{"verdict", scan::to_string(finding.verdict)},
                        {"kind", finding.kind},
                        {"path", finding.path},
                        {"import", finding.import},
                        {"why", finding.why},
                        {"offset", finding.offset}});
  }
  const json root{{"verdict", scan::to_string(report.verdict)}, {"findings", std::move(findings)}};
  return root.dump(-1, ' ', false, json::error_handler_t::replace);
}

namespace {

void read_verdict(Fields& fields, scan::Verdict& out) {
  std::string word;
  fields.required("verdict", word);
  if (!scan::verdict_from(word, out))
    fields.fail("verdict", "is '" + word + "'", "It is safe, suspicious or dangerous.");
}

}  // namespace

Result<scan::Report> scan_report_from(std::string_view text) {
  TRY(const Document document, Document::from_json("a stored scan", text));
  scan::Report report;
  Fields fields(document);
  read_verdict(fields, report.verdict);
  fields.each("findings", [&](Fields& item) {
    scan::Finding& finding = report.findings.emplace_back();
    read_verdict(item, finding.verdict);
    item.required("kind", finding.kind);
    item.required("path", finding.path);
    item.optional("import", finding.import);
    item.required("why", finding.why);
    item.optional("offset", finding.offset);
  });
  TRY_DO(fields.finish());
  return report;
}

}  // namespace backstay::wire
