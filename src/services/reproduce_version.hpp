#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ports/programs.hpp"
#include "services/registry.hpp"

namespace backstay::services {

struct ReproduceRequest {
  std::filesystem::path folder;      ///< Must not exist.
  std::filesystem::path data = ".";  ///< Where version.yaml was: sources of slices are relative to it.
  std::string repository;            ///< Instead of the recorded one.
  bool link = false;                 ///< Hard links to data instead of copies.
  bool venv = false;
  std::string python = "python3";
};

/// One thing that belongs to the version: what became of it here.
struct Restored {
  std::string what;   ///< "model", "code", "uncommitted changes", "data wdbc/site-a", "environment"
  std::string state;  ///< "verified" (its digest was checked), "restored", "changed", "missing"
  std::string detail;
};

struct Reproduction {
  std::vector<Restored> parts;
  std::vector<std::string> notes;
};

/// Puts a version's artifacts (model/), code (code/: a clone at the commit, with the uncommitted changes applied), data
/// (data/) and environment (environment/) into one folder, with the commands that do it by hand (reproduce.sh,
/// README.md). What can't be had is told, and does not stop the rest.
Result<Reproduction> reproduce_version(Registry registry, const registry::VersionRef& ref,
                                       const ReproduceRequest& request, Programs& programs);

}  // namespace backstay::services
