#pragma once

#include <array>
#include <functional>
#include <vector>

#include "base/result.hpp"
#include "domain/guardrails/guardrail.hpp"
#include "domain/traffic/outcome.hpp"
#include "gateway/value_reader.hpp"

namespace backstay::monitor {

/// Where the gateway has to look for the values that guardrails need, and which of them each guardrail takes.
struct ValuePlan {
  std::vector<gateway::ValueSource> sources;
  std::vector<int> slots;  ///< By guardrail; -1: it needs none.
};
/// Fails when more than traffic::kMaxValues different values are wanted.
Result<ValuePlan> plan_values(const std::vector<guardrails::GuardrailSpec>& specs);

/// The guardrails of one endpoint at work on its outcomes. Not thread-safe.
class GuardrailWatch {
 public:
  using OnBreach = std::function<void(const guardrails::Evidence&)>;

  GuardrailWatch(std::vector<guardrails::GuardrailSpec> specs, std::vector<int> slots);

  /// Forgets all evidence.
  void reset();
  /// `pi`: the chance this request had of going to the candidate. Calls `on_breach` for each guardrail that this
  /// outcome made breach.
  void observe(const traffic::Outcome& outcome, bool candidate, double pi, const OnBreach& on_breach);
  /// The label of an answer that was given before.
  void observe_label(const traffic::Outcome& outcome, bool candidate, double pi, double label, Monotonic now,
                     const OnBreach& on_breach);
  std::vector<guardrails::Evidence> evidence() const;
  /// Of one guardrail: ln of its e-value.
  double log_e(std::size_t index) const { return guardrails_[index].log_e(); }

 private:
  void feed(std::size_t index, const guardrails::Measurement& measurement, const OnBreach& on_breach);
  float value_of(std::size_t index, const traffic::Outcome& outcome) const;

  std::vector<guardrails::GuardrailSpec> specs_;
  std::vector<int> slots_;
  std::vector<guardrails::Guardrail> guardrails_;
};

}  // namespace backstay::monitor
