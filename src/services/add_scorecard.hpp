#pragma once

#include "domain/registry/scorecard.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// Stores measured metrics of a version with their audit entry. kNotFound: there is no such version.
Result<registry::StoredScorecard> add_scorecard(VersionStore& versions, const registry::VersionRef& ref,
                                                const registry::Scorecard& scorecard, const Actor& actor);

}  // namespace backstay::services
