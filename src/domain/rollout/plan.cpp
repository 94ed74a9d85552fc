#include "domain/rollout/plan.hpp"

#include <fmt/format.h>

#include "domain/traffic/split.hpp"

namespace backstay::rollout {

namespace {

Unexpected wrong_step(std::size_t index, const char* why) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("Step {} of the rollout plan {}.", index + 1, why),
                    "Shadow steps come first; canary shares are above 0%, rise, and end at 100% or below.");
}

}  // namespace

Result<void> Plan::validate() const {
  std::uint32_t canary_ppm = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (step.ppm == 0 || step.ppm > traffic::kWhole) return wrong_step(i, "has a share outside of (0%, 100%]");
    if (step.min_duration < milliseconds{0}) return wrong_step(i, "has a negative duration");
    if (step.kind == Step::Kind::kShadow) {
      if (canary_ppm > 0) return wrong_step(i, "is a shadow step after a canary step");
    } else if (step.ppm <= canary_ppm) {
      return wrong_step(i, "does not raise the canary's share");
    } else {
      canary_ppm = step.ppm;
    }
    TRY_DO(rollout::validate(step.proof, step.min_duration, fmt::format("Step {} of the rollout plan", i + 1)));
  }
  if (holdback_ppm >= traffic::kWhole / 2) {
    return Unexpected(ErrorCode::kInvalidArgument, "The holdback is half of the traffic or more.",
                      "Use a small share such as 5%.");
  }
  if (watch < milliseconds{0} || ready_timeout <= milliseconds{0}) {
    return Unexpected(ErrorCode::kInvalidArgument, "The plan's watch or ready_timeout is negative or zero.",
                      "Use durations such as 1h.");
  }
  TRY_DO(rollout::validate(proof, watch, "The rollout plan's watch"));
  if (watch == milliseconds{0} && !proof.require.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "The rollout plan requires something of its watch, and has none.",
                      "Write watch: 1h beside it, or move `require` into the last step.");
  return calendar.validate();
}

Plan default_plan() {
  constexpr milliseconds kTenMinutes = std::chrono::minutes{10};
  Plan plan;
  plan.steps = {{Step::Kind::kCanary, 50'000, kTenMinutes, 1'000}, {Step::Kind::kCanary, 250'000, kTenMinutes, 1'000}};
  plan.holdback_ppm = 50'000;
  plan.watch = std::chrono::hours{1};
  return plan;
}

Plan blue_green_plan() {
  Plan plan;
  plan.watch = std::chrono::hours{1};
  return plan;
}

Plan blue_green_plan(const Plan& usual) {
  Plan plan;
  plan.watch = usual.watch;
  plan.ready_timeout = usual.ready_timeout;
  plan.approve_promotion = usual.approve_promotion;
  return plan;
}

}  // namespace backstay::rollout
