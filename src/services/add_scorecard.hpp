#pragma once

#include "domain/registry/scorecard.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// Stores measured metrics of a version with their audit entry. kNotFound: there is no such version.
Result<registry::StoredScorecard> add_scorecard(VersionStore& versions, const registry::VersionRef& ref,
                                                const registry::Scorecard& scorecard, const Actor& actor);

/// One that somebody wrote. kInvalidArgument: it claims to be measured by this program, or signed
/// (registry::check_evaluator).
Result<registry::StoredScorecard> add_written_scorecard(VersionStore& versions, const registry::VersionRef& ref,
                                                        registry::Scorecard scorecard, const Actor& actor);

}  // namespace backstay::services
