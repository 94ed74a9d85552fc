#include <string_view>

#include "domain/scan/opcodes.hpp"
#include "fuzz/check.hpp"
#include "scan/scanner.hpp"

using namespace backstay;

/// What strangers upload. Limits are small here, so that they are reached.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const scan::MemorySource source(bytes);
  scan::Limits limits;
  limits.findings = 50;
  limits.imports = 50;
  limits.stack = 2'000;
  limits.memo = 500;
  limits.text_bytes = 20'000;
  limits.entries = 100;
  limits.depth = 4;
  limits.unpacked = 4U << 20;
  limits.ratio_after = 1U << 20;
  for (const char* name : {"model.bin", "model.joblib", "model.safetensors"}) {
    const auto report = scan::scan_artifact(
        source, name, [](const std::string&) { return false; }, limits);
    CHECK(report.has_value());
    CHECK(report->findings.size() <= limits.findings);
    auto worst = scan::Verdict::kSafe;
    for (const scan::Finding& finding : report->findings) worst = std::max(worst, finding.verdict);
    CHECK(worst == report->verdict);
  }
  return 0;
}
