#include "cli/report_files.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>

namespace backstay::cli {

void ReportFiles::add_options(CLI::App& command) {
  command.add_option("--junit", junit, "Write the verdict as JUnit XML");
  command.add_option("--sarif", sarif, "Write what did not pass as SARIF 2.1.0");
  command.add_option("--markdown", markdown, "Write the verdict as Markdown, for a pull request");
  command.add_flag("--annotations", annotations, "Print what did not pass as annotations of GitHub Actions");
}

Result<void> ReportFiles::write(const wire::GateReport& report, bool as_json) const {
  if (!junit.empty()) TRY_DO(write_text(junit, wire::to_junit(report)));
  if (!sarif.empty()) TRY_DO(write_text(sarif, wire::to_sarif(report)));
  if (!markdown.empty()) TRY_DO(write_text(markdown, wire::to_markdown(report)));
  if (annotations) fmt::print(as_json ? stderr : stdout, "{}", wire::to_github_annotations(report));
  return {};
}

Result<void> write_text(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (out) return {};
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} can't be written.", path),
                    "Check that its folder is there and may be written to.");
}

}  // namespace backstay::cli
