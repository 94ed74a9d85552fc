#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ports/programs.hpp"
#include "services/registry.hpp"

namespace backstay::services {

struct EnvironmentRequest {
  std::filesystem::path folder;    ///< Must not exist.
  bool venv = false;               ///< Also install: into folder/venv, or folder/conda when conda installed it.
  std::string python = "python3";  ///< With this interpreter.
  std::string image{};             ///< What the Dockerfile begins with, instead of what was recorded.
};

struct BuiltEnvironment {
  std::vector<std::string> files;               ///< Relative to the folder.
  std::vector<std::string> notes;               ///< What is less than it could be, each a sentence.
  std::vector<std::vector<std::string>> steps;  ///< Commands that install the packages, run in the folder.
  std::string prefix;                           ///< Where these make bin/python: "venv" or "conda".
  std::string refusal;                          ///< Why there are no steps; also a note. Empty: there are.
};

/// Writes a version's lock files (lock/, verified), what pip and conda read (requirements.txt, conda-PLATFORM.txt) when
/// that is none of them as it was, a Dockerfile, and its bill of materials (sbom.cdx.json); see docs/reproducing.md.
/// What was recorded is never replaced by something that is only likely: there is a note instead.
Result<BuiltEnvironment> build_environment(Registry registry, const StoredVersion& stored,
                                           const registry::Manifest& manifest, const EnvironmentRequest& request,
                                           Programs& programs);

/// Runs the steps, with interpreters that they made themselves.
Result<void> run_steps(const BuiltEnvironment& built, const std::filesystem::path& folder, Programs& programs);

/// Creates a folder that must not be there; its parents as needed.
Result<void> make_new_folder(const std::filesystem::path& folder);

Result<void> write_text(const std::filesystem::path& file, const std::string& text);

}  // namespace backstay::services
