#pragma once

#include <string>
#include <vector>

#include "domain/gates/gate.hpp"
#include "domain/registry/manifest.hpp"
#include "domain/registry/scorecard.hpp"

/// A gate's verdict in the forms that CI systems show.
namespace backstay::wire {

struct GateReport {
  registry::VersionRef version;
  std::string gate;
  std::string gate_file;  ///< As it was given: where annotations point to.
  gates::Verdict verdict;
  std::vector<registry::Scorecard> scorecards;  ///< What was measured in this run; may be empty.
  std::string baseline;                         ///< "m@1.0.0"; empty: nothing was compared.
  std::string program_version;
};

/// JUnit XML (the schema of Jenkins' xunit plugin): each rule is a test case. FAIL is a failure; INSUFFICIENT is an
/// error, so that no CI takes it for a pass.
std::string to_junit(const GateReport& report);

/// SARIF 2.1.0 (OASIS): a result for every rule that did not pass; FAIL is an error, INSUFFICIENT a warning.
std::string to_sarif(const GateReport& report);

/// Workflow commands of GitHub Actions, one line for every rule that did not pass.
std::string to_github_annotations(const GateReport& report);

/// For a pull request's comment: the verdict, its rules, and what was measured of everyone.
std::string to_markdown(const GateReport& report);

/// Without characters that turn the direction of writing (U+202E and its like): "?" stands for each.
std::string without_direction(const std::string& text);
/// Text inside of Markdown tables, XML and HTML as what it is, without_direction().
std::string markdown_cell(const std::string& text);
std::string xml_text(const std::string& text);

/// "0.951 [0.921, 0.970]"
std::string value_with_limits(const registry::Metric& metric);

}  // namespace backstay::wire
