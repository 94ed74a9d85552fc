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
  /// Before the work begins: that each file can be written. Changes nothing.
  Result<void> check() const;
  /// Annotations go to standard error when standard output has JSON.
  Result<void> write(const wire::GateReport& report, bool as_json) const;
};

/// That write_text() would be let to write this file; an empty path is none.
Result<void> check_writable(const std::string& path);
/// Replaces the file's content. kResourceExhausted: the disk is full.
Result<void> write_text(const std::string& path, const std::string& text);

}  // namespace backstay::cli
