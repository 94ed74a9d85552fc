#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.hpp"

namespace backstay {

/// What a Python interpreter says about itself.
struct PythonState {
  std::string version;                          ///< "3.11.2"
  std::map<std::string, std::string> packages;  ///< Normalised name (PEP 503) -> version.
};

/// The computer that this runs on.
class Machine {
 public:
  virtual ~Machine() = default;
  virtual std::string os() = 0;        ///< "Debian GNU/Linux 12 (bookworm), x86_64"; empty when unknown.
  virtual std::string hardware() = 0;  ///< "2 x Intel Xeon ..., 7.8 GiB, NVIDIA ..."; empty when unknown.
  /// Asks an interpreter (isolated: no user site, no PYTHON* variables).
  virtual Result<PythonState> python(const std::filesystem::path& interpreter) = 0;
};

}  // namespace backstay
