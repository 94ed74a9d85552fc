#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/registry.hpp"
#include "signing/key.hpp"

namespace backstay::services {

struct ImportedEvaluation {
  std::vector<registry::StoredScorecard> scorecards;
  Digest statement_sha256;
  std::string key_id;
};

/// Takes what somebody else measured: the scorecards of an in-toto test result in a DSSE envelope that `trusted`
/// signed. Its subjects must be exactly the version's artifacts. kIntegrity: not signed by that key, or about other
/// files; kConflict: the same statement was taken before, and what counts is the newest. The scorecards name key and
/// statement as their evaluator.
Result<ImportedEvaluation> import_evaluation(VersionStore& versions, const registry::VersionRef& ref,
                                             const std::string& name, std::string_view envelope,
                                             const signing::PublicKey& trusted, const Actor& actor);

}  // namespace backstay::services
