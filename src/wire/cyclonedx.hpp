#pragma once

#include <string>

#include "base/time.hpp"
#include "domain/registry/manifest.hpp"

namespace backstay::wire {

/// A version as a CycloneDX 1.6 bill of materials: the model as a machine-learning-model with its model card, data
/// sets, artifacts, packages, image and system as components. The same version always gives the same text.
std::string to_cyclonedx(const registry::Manifest& manifest, const Digest& identity, Timestamp registered_at);

}  // namespace backstay::wire
