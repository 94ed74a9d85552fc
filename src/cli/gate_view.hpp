#pragma once

#include <string>

#include "cli/exit_code.hpp"
#include "domain/gates/gate.hpp"
#include "domain/registry/manifest.hpp"

namespace backstay::cli {

/// The verdict's table, what to do about each rule that did not pass, and the verdict itself, on standard output.
void print_verdict(const std::string& gate, const registry::VersionRef& version, const gates::Verdict& verdict);

/// Rules that likely mean something else than they say, to standard error.
void print_warnings(const std::vector<std::string>& warnings);
ExitCode exit_of(gates::Decision decision);

}  // namespace backstay::cli
