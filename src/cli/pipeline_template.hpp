#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace backstay::cli {

/// A CI system's file that registers a version, measures it and judges it.
struct Pipeline {
  std::string system;  ///< "github", "gitlab" or "jenkins"
  std::string version_file = "version.yaml";
  std::string suite_file = "suite.yaml";
  std::string gate_file = "gate.yaml";
};

/// Where the system looks for it: ".github/workflows/backstay.yml".
Result<std::string> pipeline_path(const std::string& system);

/// The file's text. kInvalidArgument: a path with characters that a shell or YAML would take for something else.
Result<std::string> pipeline_text(const Pipeline& pipeline);

}  // namespace backstay::cli
