#pragma once

#include <optional>

#include "domain/registry/bump.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// What a version's number has to say about its content.
struct VersionAdvice {
  std::optional<registry::VersionRef> compared_with;  ///< The model's highest version; nullopt: it has none.
  registry::BumpAdvice bump;                          ///< `next` is free. Without a version: 1.0.0.
};

/// Suggests the number for this content from what changed since the model's highest version.
Result<VersionAdvice> suggest_version(const VersionStore& versions, const registry::Manifest& manifest);

/// Refuses a changed signature under a number that promises none: compares with the version just below. Success for a
/// version that is registered already.
Result<void> check_version_number(const VersionStore& versions, const registry::Manifest& manifest);

}  // namespace backstay::services
