#pragma once

#include <string>

#include "domain/registry/manifest.hpp"

namespace backstay::wire {

/// A version's making as OpenLineage run events (spec 2-0-2): START and COMPLETE of one run, each a line of JSON.
/// Slices, parents and code are what the manifest names; the run's id follows from the version's identity, so exporting
/// twice gives the same run. The registry knows when the version was registered, not when its training began: both
/// events carry that time.
std::string openlineage_events(const registry::Manifest& manifest, const Digest& identity,
                               const std::string& registered_at);

}  // namespace backstay::wire
