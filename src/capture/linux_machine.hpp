#pragma once

#include "ports/machine.hpp"

namespace backstay::capture {

/// Reads /etc/os-release and /proc. `root` is where they are looked for. Sizes are rounded, so that the same computer
/// gives the same text after a restart.
class LinuxMachine : public Machine {
 public:
  explicit LinuxMachine(std::filesystem::path root = "/") : root_(std::move(root)) {}
  std::string os() override;
  std::string hardware() override;
  Result<PythonState> python(const std::filesystem::path& interpreter) override;

 private:
  std::filesystem::path root_;
};

}  // namespace backstay::capture
