#include "cli/report_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <span>

#include "base/descriptor.hpp"

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

Result<void> ReportFiles::check() const {
  for (const std::string& path : {junit, sarif, markdown}) TRY_DO(check_writable(path));
  return {};
}

Result<void> check_writable(const std::string& path) {
  if (path.empty()) return {};
  std::error_code failure;
  const std::filesystem::path file(path);
  const bool there = std::filesystem::exists(file, failure);
  if (there && std::filesystem::is_directory(file, failure))
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is a folder.", path), "Name a file to write to.");
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  if (access(there ? file.c_str() : folder.c_str(), there ? W_OK : W_OK | X_OK) == 0) return {};
  return Unexpected(error_from_errno(errno, "cannot write " + path));
}

Result<void> write_text(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file) return Unexpected(error_from_errno(errno, "cannot write " + path));
  return write_all(file.get(), std::as_bytes(std::span(text)), path);
}

}  // namespace backstay::cli
