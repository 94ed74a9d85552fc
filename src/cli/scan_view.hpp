#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ports/scan_store.hpp"

/// Scans as they are shown.
namespace backstay::cli {

nlohmann::json scan_json(const scan::Report& report);
nlohmann::json scan_json(const StoredScan& scan);
nlohmann::json exception_json(const ScanException& exception);

/// One line: the verdict, and what it is about.
void print_scan_line(const scan::Report& report, const std::string& version);
/// Every finding but the harmless ones, the worst first.
void print_findings(const scan::Report& report);

}  // namespace backstay::cli
