#include "cli/gate_view.hpp"

#include <fmt/format.h>

#include "cli/printable.hpp"
#include "cli/terminal.hpp"

namespace backstay::cli {

namespace {

std::string shown(gates::Decision decision) {
  const Colour colour = decision == gates::Decision::kPass   ? Colour::kGreen
                        : decision == gates::Decision::kFail ? Colour::kRed
                                                             : Colour::kYellow;
  return coloured(colour, gates::to_string(decision));
}

}  // namespace

void print_verdict(const std::string& gate, const registry::VersionRef& version, const gates::Verdict& verdict) {
  std::vector<std::vector<std::string>> rows{{"RULE", "OBSERVED", "VERDICT"}};
  for (const gates::Row& row : verdict.rows)
    rows.push_back({printable(row.rule), printable(row.observed), shown(row.decision)});
  fmt::print("{}", table(rows));
  for (const gates::Row& row : verdict.rows)
    if (row.decision != gates::Decision::kPass)
      fmt::print("  {}: {}\n", printable(row.rule), printable(row.explanation));
  std::vector<std::string> written;
  for (const gates::Row& row : verdict.rows)
    if (row.by_hand) written.push_back(printable(row.rule));
  if (!written.empty()) fmt::print("  on scorecards that were written by hand: {}\n", fmt::join(written, ", "));
  fmt::print("gate {}: {} {}\n", gate, version.str(), shown(verdict.decision));
}

void print_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) fmt::print(stderr, "warning: {}\n", printable(warning));
}

ExitCode exit_of(gates::Decision decision) {
  if (decision == gates::Decision::kPass) return kOk;
  return decision == gates::Decision::kFail ? kGateFailed : kGateInsufficient;
}

}  // namespace backstay::cli
