#pragma once

#include <variant>

#include "domain/guardrails/guardrail.hpp"

namespace backstay::guardrails {

/// Evidence that a candidate meets an objective, where a Guardrail has evidence that it doesn't: the mirror image of
/// the guardrail's test, for what a rollout requires before it goes on. H0: the objective is not met (the candidate is
/// at least `tolerance` times as bad as stable, worse by at least `margin`, or at or beyond the absolute bound). By
/// Ville's inequality a version for which H0 is true ever gets to 1/alpha with a probability of at most alpha. Tests of
/// one direction turn into the other by exchanging the arms: "candidate >= t times stable" is "stable <= 1/t times
/// candidate". No restarts: what is to be shown is that it holds on the whole. Assumptions are those of the guardrail's
/// test. Of a sticky user's outcomes the first counts, against stable, bad or not: whether a user had any bad one
/// saturates in both arms, and would hide that they come more often. What had no chance of going either way
/// (Measurement::assignment_probability outside of (0, 1)) tells nothing against stable. A plain value but for its
/// cluster set. Not thread-safe.
class Claim {
 public:
  /// `spec`: signal and objective, valid. `alpha` in (0, 1).
  Claim(GuardrailSpec spec, double alpha);

  void observe(const Measurement& measurement);
  /// ln of the e-value now.
  double log_e() const;
  double log_limit() const { return log_limit_; }
  /// Whether it has seen as many of the candidate's outcomes as the specification asks for before anything is said.
  bool seen_enough() const { return candidate_n_ >= spec_.min_samples; }

 private:
  using Test = std::variant<AbsoluteRateTest, UnsettledRateTest, RelativeRateTest, BoundedMeanTest, RelativeMeanTest,
                            RelativeValueTest, RelativeRatioTest, RelativeLatencyTest, PairedRateTest, PairedMeanTest>;
  static Test make_test(const GuardrailSpec& spec);
  void observe_value(const Measurement& m);
  void observe_attributed(const Measurement& m, UnsettledRateTest& test);
  bool first_of_user(const Measurement& m);

  GuardrailSpec spec_;
  TestKind kind_;
  double log_limit_;
  Test test_;
  std::optional<Cuped> cuped_;
  ClusterSet clusters_;
  std::uint64_t candidate_n_ = 0;
};

}  // namespace backstay::guardrails
