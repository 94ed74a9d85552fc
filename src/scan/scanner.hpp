#pragma once

#include <functional>
#include <string>

#include "domain/scan/bytes.hpp"
#include "domain/scan/report.hpp"

namespace backstay::scan {

/// Whether the version has this file, by its path within the version.
using HasFile = std::function<bool(const std::string& path)>;

/// Looks at one artifact by its content, whatever its name says, and into what it contains. Executes nothing, and
/// writes nothing but nameless temporary files. Memory is bounded; what is too much is a finding. Fails only when the
/// bytes can't be read.
Result<Report> scan_artifact(const ByteSource& bytes, const std::string& path, const HasFile& has_file,
                             const Limits& limits = {});

}  // namespace backstay::scan
