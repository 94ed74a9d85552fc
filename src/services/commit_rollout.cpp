#include "services/commit_rollout.hpp"

namespace backstay::services {

Result<void> commit_rollout(RolloutStore& store, const rollout::Transition& transition, const std::string& model) {
  Result<void> result = store.commit(transition, model);
  if (result) return result;
  const rollout::State& state = transition.state;
  const auto newest = store.rollouts(state.endpoint, 1);
  if (!newest || newest->empty()) return result;
  const rollout::State& stored = newest->front();
  // The number of a rollout that could not be stored is used again: the start tells them apart.
  const bool there = stored.id == state.id && stored.revision == state.revision &&
                     stored.started_at == state.started_at && stored.phase == state.phase;
  return there ? Result<void>() : std::move(result);
}

}  // namespace backstay::services
