#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "domain/registry/manifest.hpp"
#include "ports/machine.hpp"

namespace backstay::services {

struct EnvironmentDifference {
  std::string what;  ///< "system", "hardware", "python", or a package's name.
  std::string recorded;
  std::string here;  ///< Empty: not installed, or not known.
};

struct EnvironmentComparison {
  std::vector<EnvironmentDifference> differences;
  std::vector<std::string> same;
  std::vector<std::string> not_compared;  ///< Each with why.
  bool packages_unknown = false;          ///< The version names an interpreter or packages, and none was asked.
};

/// What a version recorded against this machine and an interpreter on it (empty: none is asked).
Result<EnvironmentComparison> compare_environment(const registry::Environment& recorded, Machine& machine,
                                                  const std::filesystem::path& python);

}  // namespace backstay::services
