#include "domain/scan/report.hpp"

#include <algorithm>

namespace backstay::scan {

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSafe: return "safe";
    case Verdict::kSuspicious: return "suspicious";
    case Verdict::kDangerous: return "dangerous";
  }
  return "dangerous";
}

bool verdict_from(std::string_view text, Verdict& out) {
  for (const Verdict each : {Verdict::kSafe, Verdict::kSuspicious, Verdict::kDangerous}) {
    if (text != to_string(each)) continue;
    out = each;
    return true;
  }
  return false;
}

void Report::add(Finding finding) {
  verdict = std::max(verdict, finding.verdict);
  findings.push_back(std::move(finding));
}

std::vector<std::string> Report::imports(Verdict at_least, std::size_t most) const {
  std::vector<std::string> names;
  for (const Finding& finding : findings) {
    if (finding.import.empty() || finding.verdict < at_least || names.size() >= most) continue;
    if (std::find(names.begin(), names.end(), finding.import) == names.end()) names.push_back(finding.import);
  }
  return names;
}

}  // namespace backstay::scan
