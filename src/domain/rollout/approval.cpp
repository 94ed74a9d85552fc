#include <fmt/format.h>

#include "domain/rollout/progress.hpp"
#include "domain/rollout/transitions.hpp"

/// A person says that a step may begin: which one is meant.
namespace backstay::rollout {

namespace {

/// The step that an approval would be for; nullopt: there is none, or it is approved.
std::optional<std::size_t> approvable(const State& state) {
  for (std::size_t index = next_index(state); index <= state.plan.steps.size(); ++index) {
    if (state.phase == Phase::kWatching || !state.plan.needs_approval(index)) continue;
    if (!lacks_approval(state, index)) return std::nullopt;
    // The step that it is in began with an approval: who says it again may not have seen that.
    const bool may_be_the_same = state.phase == Phase::kStepping && state.approved == index_of(state) + 1;
    if (may_be_the_same && state.asked <= index) return std::nullopt;
    return index;
  }
  return std::nullopt;
}

}  // namespace

Transition approve(const State& state, const Approve& event) {
  const std::optional<std::size_t> index = approvable(state);
  if (!index) return unchanged(state);
  const std::string what = fmt::format("Approved: {}.", step_text(state, *index));
  const std::string reason = event.reason.empty() ? what : fmt::format("{} {}", what, event.reason);
  Transition out = change(state, {event.actor, "rollout.approve", reason, "{}"});
  out.state.approved = *index + 1;
  return out;
}

Result<void> can_approve(const State& state) {
  if (!is_final(state.phase) && approvable(state)) return {};
  std::string why = "no step that is to come needs it.";
  for (std::size_t index = next_index(state);
       !is_final(state.phase) && state.phase != Phase::kWatching && index <= state.plan.steps.size(); ++index) {
    if (!state.plan.needs_approval(index)) continue;
    why =
        fmt::format(fmt::runtime(lacks_approval(state, index) ? "{} is not asked for yet." : "{} is approved already."),
                    step_text(state, index));
    break;
  }
  return Unexpected(ErrorCode::kConflict, "There is nothing to approve: " + why,
                    "backstay status says what the rollout waits for.");
}

}  // namespace backstay::rollout
