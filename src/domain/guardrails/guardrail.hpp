#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "domain/guardrails/guardrail_spec.hpp"
#include "domain/guardrails/judgement.hpp"
#include "domain/guardrails/trial.hpp"

/// Guardrails at work: a signal, an objective, a sequential test, an action. Pure values; the monitor feeds them.
namespace backstay::guardrails {

/// What was seen and what it means, for people and for the audit log.
struct Evidence {
  std::string name;
  TestKind test = TestKind::kAutomatic;
  Action action = Action::kRollBack;
  Severity severity = Severity::kByAction;
  double log_e = 0;      ///< ln of the e-value now, or at the moment of the breach.
  double log_limit = 0;  ///< ln(1/alpha), or what e-BH asked for when that was less.
  /// What was promised: ln of one in how many good versions is ever taken back. That of e-BH is of the family together,
  /// whatever the limit was in the end.
  double log_promise = 0;
  std::uint64_t candidate_n = 0;
  std::uint64_t candidate_bad = 0;
  std::uint64_t stable_n = 0;
  std::uint64_t stable_bad = 0;
  std::uint64_t missing =
      0;  ///< The candidate's answers without the value: bad, or left out of a mean that has no worst.
  std::uint64_t stable_missing = 0;
  std::uint64_t unread = 0;  ///< Answers of the candidate that nobody could read: they count for and against nobody.
  /// Of the candidate's newest one or two thousand (as many as come between two restarts).
  std::uint64_t newest_n = 0, newest_bad = 0;
  std::uint64_t outside = 0;  ///< Values of either version outside of [0, 1], which a test of scores takes for 0 or 1.
  std::uint64_t open = 0;     ///< Of candidate_n: what may still turn out to be bad (attributed signals).
  double candidate_mean = 0;  ///< Of scores and latencies; NaN: of texts, which have none.
  double stable_mean = 0;
  bool breached = false;
  bool window_over = false;  ///< Nothing counts any more.
  /// What the request's covariate does, when there is one.
  struct Covariate {
    double explained = 0;       ///< The share of stable's variance that it takes out.
    std::uint64_t missing = 0;  ///< Outcomes of both whose request did not have it; they count unadjusted.
  };
  std::optional<Covariate> covariate{};
  std::string sentence;
};

/// One guardrail at work. Not thread-safe.
class Guardrail {
 public:
  /// `alpha`: this guardrail's part of what the rollout may spend. `promise`: the chance that is promised of a good
  /// version being taken back, by it or by the family that it acts in; left out: alpha.
  Guardrail(GuardrailSpec spec, double alpha, std::optional<double> promise = {});

  /// True when this observation made it breach. After that nothing changes any more.
  bool observe(const Measurement& measurement);
  /// The candidate has answered: that is when a window begins. For signals that are known later.
  void begin(Monotonic answered);
  /// The candidate gave an answer that can't be read.
  void pass_over() { ++unread_; }
  /// ln of the e-value now, or at the moment of the breach.
  double log_e() const;
  /// The same, to be judged together with others at this moment.
  double log_e_together() const;
  /// Whether it may act: it has seen enough, its window is open, it has not breached.
  bool may_act() const { return !breached_ && !window_over_ && candidate_n_ >= spec_.min_samples; }
  /// Breaches at this limit, which the guardrails of a family gave it together, if its evidence is that strong.
  bool breach_at(double log_limit);
  bool breached() const { return breached_; }
  const GuardrailSpec& spec() const { return spec_; }
  Evidence evidence() const;

 private:
  bool observe_rate(const Measurement& m);
  bool observe_attributed(const Measurement& m);
  bool observe_hit(const Measurement& m, bool hit);
  bool is_attributed_rate() const { return std::holds_alternative<UnsettledRateTest>(trial_.test); }
  void restart();
  void renew_for(const Measurement& m);
  bool observe_value(const Measurement& m);
  bool observe_pair(const Measurement& m);
  void count(const Measurement& m);
  std::string seen(const Evidence& evidence) const;
  std::string newest(const Evidence& evidence) const;
  std::string sentence(const Evidence& evidence) const;

  GuardrailSpec spec_;
  TestKind kind_;
  double log_limit_;
  double log_promise_;
  Trial trial_;
  Renewals renewals_;
  std::uint64_t without_covariate_ = 0;
  std::optional<Monotonic> first_at_;
  bool breached_ = false;
  bool window_over_ = false;
  std::uint64_t candidate_n_ = 0, candidate_bad_ = 0, stable_n_ = 0, stable_bad_ = 0, missing_ = 0;
  std::uint64_t open_ = 0, outside_ = 0, stable_missing_ = 0, unread_ = 0;
  /// The candidate's between two restarts.
  struct Since {
    std::uint64_t n = 0, bad = 0;
  };
  Since now_, before_;
  double candidate_sum_ = 0, stable_sum_ = 0;
  double candidate_per_ = 0, stable_per_ = 0;  ///< Sums of Measurement::second.
};

}  // namespace backstay::guardrails
