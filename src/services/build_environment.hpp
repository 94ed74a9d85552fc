#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ports/programs.hpp"
#include "services/registry.hpp"

namespace backstay::services {

struct EnvironmentRequest {
  std::filesystem::path folder;    ///< Must not exist.
  bool venv = false;               ///< Also make a virtual environment in folder/venv.
  std::string python = "python3";  ///< With this interpreter.
};

struct BuiltEnvironment {
  std::vector<std::string> files;               ///< Relative to the folder.
  std::vector<std::string> notes;               ///< What is less than it could be, each a sentence.
  std::vector<std::vector<std::string>> steps;  ///< Commands that make the virtual environment, run in the folder.
};

/// Writes a version's lock files (lock/, verified), a Dockerfile, a requirements.txt when the version has packages but
/// no such lock file, and its bill of materials (sbom.cdx.json); see docs/reproducing.md.
Result<BuiltEnvironment> build_environment(Registry registry, const StoredVersion& stored,
                                           const registry::Manifest& manifest, const EnvironmentRequest& request,
                                           Programs& programs);

/// Creates a folder that must not be there; its parents as needed.
Result<void> make_new_folder(const std::filesystem::path& folder);

Result<void> write_text(const std::filesystem::path& file, const std::string& text);

}  // namespace backstay::services
