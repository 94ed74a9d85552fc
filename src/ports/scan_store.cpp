#include "ports/scan_store.hpp"

namespace backstay {

Digest digest_of(const scan::Report& report) {
  Sha256 hash;
  const auto add = [&](const std::string& text) {
    hash.update(std::to_string(text.size()) + ":");
    hash.update(text);
  };
  add(scan::to_string(report.verdict));
  for (const scan::Finding& finding : report.findings) {
    add(scan::to_string(finding.verdict));
    for (const std::string& text : {finding.kind, finding.path, finding.import, finding.why}) add(text);
    add(std::to_string(finding.offset));
  }
  return hash.finish();
}

}  // namespace backstay
