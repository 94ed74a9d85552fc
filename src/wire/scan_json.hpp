#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "domain/scan/report.hpp"

namespace backstay::wire {

/// {"verdict", "findings": [{"verdict", "kind", "path", "import", "why", "offset"}]}
std::string to_json(const scan::Report& report);
Result<scan::Report> scan_report_from(std::string_view json);

}  // namespace backstay::wire
