#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ports/scan_store.hpp"

/// Scans as they are shown.
namespace backstay::cli {

nlohmann::json scan_json(const scan::Report& report);
nlohmann::json scan_json(const StoredScan& scan);
nlohmann::json exception_json(const ScanException& exception);

/// Which key an exception says that it is signed with (hex SHA-256): whether it is, is looked at where it counts.
/// Empty: none.
std::string key_of(const std::string& envelope);

/// One line: the verdict, and what it is about. `is_signed_for`: an exception that is in force covers it.
void print_scan_line(const scan::Report& report, const std::string& version, bool is_signed_for = false);
/// Every finding but the harmless ones, the worst first.
void print_findings(const scan::Report& report);

}  // namespace backstay::cli
