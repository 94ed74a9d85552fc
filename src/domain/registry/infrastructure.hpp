#pragma once

#include <string>
#include <vector>

#include "domain/registry/manifest.hpp"

namespace backstay::registry {

/// One piece of infrastructure as it is live now, by its name; what manifests' dependencies are compared with.
struct Infrastructure {
  std::string name;
  std::string kind;           ///< database, feature_view, api, queue, library, ...
  std::string version;        ///< May be empty.
  std::string schema_sha256;  ///< May be empty.
  bool removed = false;       ///< It was there once and is gone.
  bool operator==(const Infrastructure&) const = default;
};

/// Names, kinds, versions and digests that can be compared.
Result<void> validate(const Infrastructure& item);

/// A dependency that what is live does not meet, in a sentence.
struct Mismatch {
  Dependency dependency;
  std::string reason;
};

struct DependencyCheck {
  std::vector<Mismatch> mismatches;
  std::vector<Dependency> undeclared;  ///< Nobody has said what is live there: neither right nor wrong.
  bool holds() const { return mismatches.empty(); }
};

/// Compares what a version needs with what is live. A dependency's version is a VersionRange; a schema digest must be
/// equal. What was removed is a mismatch, what was never declared is not.
DependencyCheck check_dependencies(const std::vector<Dependency>& needed, const std::vector<Infrastructure>& live);

/// `live` after `changes` were made to it, by name.
std::vector<Infrastructure> with_changes(std::vector<Infrastructure> live, const std::vector<Infrastructure>& changes);

}  // namespace backstay::registry
