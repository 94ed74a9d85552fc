#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "domain/registry/manifest.hpp"

namespace backstay::wire {

/// The manifest as canonical JSON: keys sorted, no white space, empty members left out. Equal manifests give equal
/// bytes, and the version's identity is their SHA-256.
std::string to_canonical_json(const registry::Manifest& manifest);

/// Reads canonical JSON or the same members in any layout; unknown keys are refused. Does not validate the values (see
/// registry::validate).
Result<registry::Manifest> manifest_from_json(const std::string& name, std::string_view text);

}  // namespace backstay::wire
