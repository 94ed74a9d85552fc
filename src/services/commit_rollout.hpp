#pragma once

#include <functional>
#include <string>

#include "ports/ledger.hpp"

namespace backstay::services {

/// Whether a rollout may begin, asked once more where it is stored.
struct StartCheck {
  const AuditLog& log;
  /// Reads the store. Every fact that it looks at is in the log, so an unchanged log means an unchanged answer;
  /// that damping ends by time alone does no harm.
  std::function<Result<void>(const rollout::State& state, const std::string& model)> allowed;
};

/// Stores a transition. A commit that failed may have been stored all the same, its answer lost on the way: before it
/// is called a failure the store is asked. Otherwise a rollout that "never was" would be found by the next start.
///
/// What the start of a release was allowed on may be gone when it is stored: another endpoint's rollback took away what
/// it needs, a verdict or a quarantine came. So it is checked here again, and stored only if nothing else was since
/// then; else it is checked anew. Returns are never checked. `check` nullptr: neither are starts.
Result<void> commit_rollout(RolloutStore& store, const rollout::Transition& transition, const std::string& model,
                            const StartCheck* check = nullptr);

}  // namespace backstay::services
