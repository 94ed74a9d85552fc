#pragma once

#include <map>
#include <string>
#include <vector>

#include "services/registry.hpp"

namespace backstay::services {

/// What installs a version's packages again: the best of its lock files for pip, and what conda installed by conda,
/// because the same name is another package on PyPI.
struct InstallPlan {
  std::string requirements;       ///< What pip reads, relative to the environment's folder; empty: nothing.
  std::string requirements_text;  ///< Of a requirements.txt that is to be written; empty: it is a lock file as it was.
  bool hashed = false;            ///< Every entry has a sha256 hash.
  bool complete = false;          ///< It names all there is: nothing else is looked for (--no-deps).
  std::string conda_platform;     ///< "linux-64"; empty: no conda.
  std::map<std::string, std::string> conda_specs;  ///< By platform: an explicit specification.
  std::string conda_python;                        ///< The version of Python that conda installs; may be empty.
  std::vector<std::string> notes;                  ///< What is less than it could be, each a sentence.
  std::string refusal;                             ///< Why the packages can't be installed from here; empty: they can.

  bool conda() const { return !conda_platform.empty(); }
  /// The file of a conda specification.
  static std::string spec_file(const std::string& platform) { return "conda-" + platform + ".txt"; }
};

/// Reads the version's lock files from the blob store. Their paths were checked when it was registered.
Result<InstallPlan> plan_install(Registry registry, const registry::Manifest& manifest);

}  // namespace backstay::services
