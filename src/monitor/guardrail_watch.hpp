#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "domain/guardrails/guardrail.hpp"
#include "domain/traffic/outcome.hpp"
#include "gateway/value_reader.hpp"
#include "monitor/attribution_window.hpp"
#include "monitor/requirements.hpp"
#include "ports/predictions.hpp"
#include "ports/recordings.hpp"

namespace backstay::monitor {

/// Which of an outcome's values a guardrail takes; -1: it needs none.
struct ValueSlots {
  int value = -1;
  int per = -1;
  int segment = -1;
  int examiner = -1;  ///< Which of the plan's examiners it listens to.
  int covariate = -1;
  bool operator==(const ValueSlots&) const = default;
};
/// Where the gateway has to look for the values that guardrails need, and which of them each guardrail takes.
struct ValuePlan {
  std::vector<gateway::ValueSource> sources;
  std::vector<ValueSlots> slots;  ///< By guardrail.
  /// Who has to look at sampled answers: names of classifiers, and "" for the signature.
  std::vector<std::string> examiners{};
};
/// Fails when more than traffic::kMaxValues different values are wanted.
Result<ValuePlan> plan_values(const std::vector<guardrails::GuardrailSpec>& specs);

/// Finds the two answers to a mirrored request, whichever comes first: what waits for its partner is found by its
/// prediction id in one of kSlots places, and forgotten when a newer one needs the place.
class PairTable {
 public:
  /// The other answer to this request, when it was here before; else this one waits.
  std::optional<traffic::Outcome> match(const traffic::Outcome& outcome);
  void clear() { waiting_.clear(); }

 private:
  static constexpr std::size_t kSlots = 1 << 16;
  std::vector<traffic::Outcome> waiting_;
};

/// The guardrails of one endpoint at work on its outcomes. Not thread-safe.
class GuardrailWatch {
 public:
  using OnBreach = std::function<void(const guardrails::Evidence&)>;

  GuardrailWatch(std::vector<guardrails::GuardrailSpec> specs, std::vector<ValueSlots> slots,
                 guardrails::Family family = {});

  /// What the rollout requires, from the next reset() on.
  void require(std::vector<Required> required) { required_ = std::move(required); }
  /// The evidence for what a step requires, in the order of resolve(); empty before the first reset().
  std::vector<rollout::Shown> shown(std::size_t step) const;
  /// Forgets all evidence.
  void reset();
  /// Those that flag or pause, and have, look anew.
  void rearm();
  /// Whatever guardrails are shown, live or from a recording: what the functions below do, by its kind.
  void show(const Observation& observation, const OnBreach& on_breach);
  /// `pi`: the chance this request had of going to the candidate. Calls `on_breach` for each guardrail that this
  /// outcome made breach.
  void observe(const traffic::Outcome& outcome, bool candidate, double pi, const OnBreach& on_breach);
  /// What users tell of an answer that was given before.
  void observe_feedback(FeedbackKind kind, const traffic::Outcome& outcome, bool candidate, double pi, double value,
                        Monotonic now, const OnBreach& on_breach);
  /// What one of the plan's examiners says of an answer.
  void observe_verdict(std::size_t examiner, const traffic::Outcome& outcome, bool candidate, double pi, double value,
                       Monotonic now, const OnBreach& on_breach);
  /// Whether a guardrail takes a prediction for right, by its label; nullopt: it does not judge this one,
  /// or its value was not remembered with it (traffic::kUnrecorded).
  std::optional<bool> was_right(std::size_t index, const traffic::Outcome& outcome, double label) const;
  std::size_t size() const { return specs_.size(); }
  std::vector<guardrails::Evidence> evidence() const;
  /// Of one guardrail: ln of its e-value.
  double log_e(std::size_t index) const { return guardrails_[index].log_e(); }

 private:
  guardrails::Guardrail fresh(std::size_t index) const;
  void feed(std::size_t index, const guardrails::Measurement& measurement, const OnBreach& on_breach);
  void feed_claims(std::size_t index, const guardrails::Measurement& measurement);
  void judge_together(const OnBreach& on_breach);
  /// What the guardrail's signal is on this outcome; nullopt: it says nothing.
  std::optional<double> signal_of(std::size_t index, const traffic::Outcome& outcome) const;
  bool in_segment(std::size_t index, const traffic::Outcome& outcome) const;
  void observe_label(std::size_t index, const traffic::Outcome& outcome, bool candidate, double pi, double label,
                     Monotonic now, const OnBreach& on_breach);
  /// That nothing came within its window counts now.
  void close_windows(Monotonic now, const OnBreach& on_breach);
  void observe_pair(std::size_t index, const traffic::Outcome& candidate, const traffic::Outcome& stable,
                    const OnBreach& on_breach);

  std::vector<guardrails::GuardrailSpec> specs_;
  std::vector<ValueSlots> slots_;
  guardrails::Family family_;
  std::vector<bool> of_pairs_;  ///< By guardrail: both answers to a mirrored request are looked at together.
  std::vector<guardrails::Guardrail> guardrails_;
  std::vector<Required> required_;
  std::vector<guardrails::Claim> claims_;  ///< Of required_.
  std::vector<double> log_es_, scratch_;   ///< For e-BH.
  PairTable pairs_;
  std::vector<std::optional<AttributionWindow>> windows_;  ///< By guardrail; of reports and conversions.
};

}  // namespace backstay::monitor
