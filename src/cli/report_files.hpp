#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.hpp"
#include "wire/reports.hpp"

namespace backstay::cli {

/// Where a verdict is written to for a CI system.
struct ReportFiles {
  std::string junit;
  std::string sarif;
  std::string markdown;
  bool annotations = false;

  void add_options(CLI::App& command);
  bool any() const { return annotations || !junit.empty() || !sarif.empty() || !markdown.empty(); }
  /// Annotations go to standard error when standard output has JSON.
  Result<void> write(const wire::GateReport& report, bool as_json) const;
};

/// Replaces the file's content.
Result<void> write_text(const std::string& path, const std::string& text);

}  // namespace backstay::cli
