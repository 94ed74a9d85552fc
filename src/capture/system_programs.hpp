#pragma once

#include "ports/programs.hpp"

namespace backstay::capture {

/// An hour at most for each.
class SystemPrograms : public Programs {
 public:
  Result<std::string> run(const std::vector<std::string>& arguments, const std::filesystem::path& folder) override;
};

}  // namespace backstay::capture
