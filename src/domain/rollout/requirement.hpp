#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

/// What a candidate has to show before a rollout goes on. Guardrails ask "is it worse?"; these ask for evidence that it
/// is not, which silence is none of.
namespace backstay::rollout {

/// One test that must hold. It looks at a guardrail's signal with the mirror image of its test, so it may be looked at
/// after every outcome too: a version for which the claim is untrue ever shows it with a probability of at most
/// `alpha`.
struct Requirement {
  enum class Claim : std::uint8_t {
    kMeets,        ///< The objective (absolute) is met.
    kNonInferior,  ///< It is less than `tolerance` times as bad as stable, or worse by less than `margin`.
    kSuperior,     ///< It is better than stable.
  };
  Claim claim = Claim::kNonInferior;
  std::string guardrail;            ///< Whose signal it is.
  std::optional<double> tolerance;  ///< kNonInferior, of rates, ratios and latencies; left out: the guardrail's.
  std::optional<double> margin;     ///< kNonInferior, of means, in the value's unit; likewise.
  std::optional<double> at_least;   ///< kMeets: a bound other than the guardrail's.
  std::optional<double> at_most;
  double alpha = 0.05;  ///< In (0, 0.5].
  bool operator==(const Requirement&) const = default;
};

/// The evidence for one requirement as of now.
struct Shown {
  double log_e = 0;      ///< ln of the e-value.
  double log_limit = 0;  ///< ln(1/alpha)
  bool enough = true;    ///< Of as many of the candidate's outcomes as the guardrail asks for (min_samples).
  bool holds() const { return enough && log_e >= log_limit; }
  bool operator==(const Shown&) const = default;
};

/// All that a step, or the watch, has to show before it is left, at the moment it is left: evidence that was there and
/// has gone doesn't count.
struct Proof {
  enum class Otherwise : std::uint8_t { kRollBack, kPause };
  std::vector<Requirement> require;
  milliseconds within{0};  ///< Since the step began; 0: it waits for as long as it takes.
  Otherwise otherwise = Otherwise::kRollBack;
  bool operator==(const Proof&) const = default;

  /// `shown`: of `require`, in its order; none are known at first.
  bool holds(const std::vector<Shown>& shown) const;
};
/// `least`: how long the step lasts anyway.
Result<void> validate(const Proof& proof, milliseconds least, const std::string& where);

/// "non-inferiority of accuracy"
std::string describe(const Requirement& requirement);
/// "non-inferiority of accuracy: E 3.1 of 20; superiority of clicks: E 0.4 of 20", of what does not hold (`missing`) or
/// of all.
std::string describe(const Proof& proof, const std::vector<Shown>& shown, bool missing);

}  // namespace backstay::rollout
