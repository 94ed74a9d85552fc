#include "cli/scan_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/terminal.hpp"
#include "services/scan_version.hpp"
#include "wire/bundle_json.hpp"
#include "wire/scan_json.hpp"

namespace backstay::cli {

using nlohmann::json;

namespace {

constexpr std::size_t kShown = 50;

Colour colour_of(scan::Verdict verdict) {
  return verdict == scan::Verdict::kSafe         ? Colour::kGreen
         : verdict == scan::Verdict::kSuspicious ? Colour::kYellow
                                                 : Colour::kRed;
}

}  // namespace

json scan_json(const scan::Report& report) {
  return json::parse(wire::to_json(report));
}

json scan_json(const StoredScan& scan) {
  json out = scan_json(scan.report);
  out["scanner"] = scan.scanner;
  out["at"] = to_rfc3339(scan.at);
  out["by"] = scan.by;
  return out;
}

json exception_json(const ScanException& exception) {
  return {{"findings_sha256", exception.findings.hex()},
          {"reason", exception.reason},
          {"signed_by", exception.signed_by},
          {"at", to_rfc3339(exception.at)},
          {"expires", to_rfc3339(exception.expires)},
          {"signed", !exception.envelope.empty()},
          {"key_sha256", key_of(exception.envelope)}};
}

std::string key_of(const std::string& envelope) {
  const auto opened = wire::envelope_from_json("an exception", envelope);
  return opened ? opened->key_id : "";
}

void print_scan_line(const scan::Report& report, const std::string& version, bool is_signed_for) {
  const std::string verdict = coloured(colour_of(report.verdict), scan::to_string(report.verdict));
  if (report.verdict == scan::Verdict::kSafe) return fmt::print("scan {}\n", verdict);
  fmt::print("scan {}: {}\n", verdict, services::scan_summary(report, report.verdict));
  if (report.verdict == scan::Verdict::kDangerous && version.find('@') != std::string::npos)
    fmt::print(
        "  {}: see backstay scan {}\n",
        is_signed_for ? "It goes to production where a key is trusted that signed for it" : "It can't go to production",
        version);
}

void print_findings(const scan::Report& report) {
  std::vector<scan::Finding> shown;
  for (const scan::Finding& finding : report.findings) {
    if (finding.verdict != scan::Verdict::kSafe) shown.push_back(finding);
  }
  std::stable_sort(shown.begin(), shown.end(),
                   [](const scan::Finding& a, const scan::Finding& b) { return a.verdict > b.verdict; });
  const std::size_t count = std::min(shown.size(), kShown);
  for (std::size_t i = 0; i < count; ++i) {
    const scan::Finding& finding = shown[i];
    fmt::print("{}  {} at byte {}\n    {}\n", coloured(colour_of(finding.verdict), scan::to_string(finding.verdict)),
               finding.path, finding.offset, finding.why);
  }
  if (count < shown.size()) fmt::print("and {} more: --json has them all\n", shown.size() - count);
}

}  // namespace backstay::cli
