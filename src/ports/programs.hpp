#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace backstay {

/// Programs of this computer that do a part of the work: git, python.
class Programs {
 public:
  virtual ~Programs() = default;
  /// Runs one to its end, without a shell and with this process's environment, and gives what it printed. kNotFound
  /// when there is none; kFailedPrecondition, with the end of what it said, when it fails.
  virtual Result<std::string> run(const std::vector<std::string>& arguments, const std::filesystem::path& folder) = 0;
};

}  // namespace backstay
