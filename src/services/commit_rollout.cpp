#include "services/commit_rollout.hpp"

namespace backstay::services {

namespace {

/// Each try that fails means that someone else has stored something.
constexpr int kTries = 20;

Result<void> commit_start(RolloutStore& store, const rollout::Transition& transition, const std::string& model,
                          const StartCheck& check) {
  for (int i = 1;; ++i) {
    TRY(const std::uint64_t size, check.log.size());
    TRY_DO(check.allowed(transition.state, model));
    Result<void> result = store.commit(transition, model, size);
    if (result || result.error().code != ErrorCode::kConflict || i == kTries) return result;
    TRY(const std::uint64_t now, check.log.size());
    if (now == size) return result;  // It is in conflict with what was there before.
  }
}

}  // namespace

Result<void> commit_rollout(RolloutStore& store, const rollout::Transition& transition, const std::string& model,
                            const StartCheck* check) {
  const rollout::State& state = transition.state;
  const bool starts = state.revision == 1 && !state.revert;
  Result<void> result =
      check != nullptr && starts ? commit_start(store, transition, model, *check) : store.commit(transition, model);
  if (result) return result;
  const auto newest = store.rollouts(state.endpoint, 1);
  if (!newest || newest->empty()) return result;
  const rollout::State& stored = newest->front();
  // The number of a rollout that could not be stored is used again: the start tells them apart.
  const bool there = stored.id == state.id && stored.revision == state.revision &&
                     stored.started_at == state.started_at && stored.phase == state.phase;
  return there ? Result<void>() : std::move(result);
}

}  // namespace backstay::services
