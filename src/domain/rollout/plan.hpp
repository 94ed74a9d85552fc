#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/rollout/calendar.hpp"
#include "domain/rollout/requirement.hpp"

namespace backstay::rollout {

/// One step of a rollout. A shadow step mirrors `ppm` of the requests and serves none; a canary step serves `ppm` of
/// them.
struct Step {
  enum class Kind : std::uint8_t { kShadow, kCanary };
  Kind kind = Kind::kCanary;
  std::uint32_t ppm = 0;          ///< In (0, 1'000'000].
  milliseconds min_duration{0};   ///< Both must hold before the next step:
  std::uint64_t min_samples = 0;  ///< outcomes of the candidate seen in this step.
  bool approval = false;          ///< Begins only after a person said so.
  Proof proof{};                  ///< What it has to show before the next step.
  bool operator==(const Step&) const = default;
};

/// The way from stable to candidate. After the last step the candidate serves everything but `holdback_ppm`, which
/// stays on the former stable version for `watch` as a live baseline; guardrails go on through that time.
struct Plan {
  std::vector<Step> steps;
  std::uint32_t holdback_ppm = 0;  ///< Below 500'000.
  milliseconds watch{0};
  milliseconds ready_timeout{60'000};  ///< How long the candidate may be not ready, at first or later, before the
                                       ///< rollout fails.
  bool approve_promotion = false;      ///< The candidate gets everything only after a person said so.
  Calendar calendar;                   ///< When a step may begin, and the rollout end, by itself.
  Proof proof{};                       ///< What the candidate has to show before the watch ends and it is stable.
  bool operator==(const Plan&) const = default;

  /// Whether entering this step (steps.size(): promotion) takes a person.
  bool needs_approval(std::size_t index) const {
    return index < steps.size() ? steps[index].approval : approve_promotion;
  }
  /// Of a step; of the watch, when `index` is steps.size().
  const Proof& proof_of(std::size_t index) const { return index < steps.size() ? steps[index].proof : proof; }
  /// Shadow steps come first, canary shares rise; says which step is wrong.
  Result<void> validate() const;
};

/// 5% for 10 min and 1,000 samples, 25% for 10 min and 1,000, then all with 5% holdback for an hour.
Plan default_plan();
/// Everything at once, as soon as the candidate is ready; the former stable version stays warm through the watch.
Plan blue_green_plan();
/// The same, with an endpoint's own watch, approval and time to get ready. Not with its proof, which may ask for more
/// than a rollout can show that leaves nothing to compare with.
Plan blue_green_plan(const Plan& usual);

}  // namespace backstay::rollout
