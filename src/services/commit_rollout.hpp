#pragma once

#include <string>

#include "ports/ledger.hpp"

namespace backstay::services {

/// Stores a transition. A commit that failed may have been stored all the same, its answer lost on the way: before it
/// is called a failure the store is asked. Otherwise a rollout that "never was" would be found by the next start.
Result<void> commit_rollout(RolloutStore& store, const rollout::Transition& transition, const std::string& model);

}  // namespace backstay::services
