#include "monitor/guardrail_watch.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::monitor {

using guardrails::Measurement;
using guardrails::Signal;
using traffic::Ending;
using traffic::Outcome;

Result<ValuePlan> plan_values(const std::vector<guardrails::GuardrailSpec>& specs) {
  ValuePlan plan;
  for (const guardrails::GuardrailSpec& spec : specs) {
    const Signal& signal = spec.signal;
    if (signal.json_pointer.empty() && signal.header.empty()) {
      plan.slots.push_back(-1);
      continue;
    }
    const auto same = [&](const gateway::ValueSource& source) {
      return source.json_pointer == signal.json_pointer && source.header == signal.header;
    };
    const auto known = std::find_if(plan.sources.begin(), plan.sources.end(), same);
    plan.slots.push_back(static_cast<int>(known - plan.sources.begin()));
    if (known == plan.sources.end()) plan.sources.push_back({signal.json_pointer, signal.header});
  }
  if (plan.sources.size() > traffic::kMaxValues)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("The guardrails take {} different values from a response; {} is the most.",
                                  plan.sources.size(), traffic::kMaxValues),
                      "Let guardrails share a json_pointer or header.");
  return plan;
}

GuardrailWatch::GuardrailWatch(std::vector<guardrails::GuardrailSpec> specs, std::vector<int> slots)
    : specs_(std::move(specs)), slots_(std::move(slots)) {
  reset();
}

void GuardrailWatch::reset() {
  guardrails_.clear();
  for (const guardrails::GuardrailSpec& spec : specs_) guardrails_.emplace_back(spec, spec.alpha);
}

float GuardrailWatch::value_of(std::size_t index, const Outcome& outcome) const {
  return slots_[index] < 0 ? traffic::kNoValue : outcome.values[static_cast<std::size_t>(slots_[index])];
}

void GuardrailWatch::feed(std::size_t index, const Measurement& measurement, const OnBreach& on_breach) {
  if (guardrails_[index].observe(measurement)) on_breach(guardrails_[index].evidence());
}

void GuardrailWatch::observe(const Outcome& outcome, bool candidate, double pi, const OnBreach& on_breach) {
  // A client that left says nothing of the version; a replay on stable is no draw of the split.
  if (outcome.ending == Ending::kClientAbandoned || outcome.fallback) return;
  const bool answered = outcome.ending == Ending::kAnswered;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    Measurement m{candidate, pi, 0, outcome.cluster, outcome.at};
    switch (specs_[i].signal.kind) {
      case Signal::Kind::kError: m.value = is_error(outcome) ? 1 : 0; break;
      case Signal::Kind::kLatency:
        // A copy is sent when the client has its answer and asks on: it meets another load than what it is held
        // against.
        if (!answered || outcome.role == traffic::Role::kShadow) continue;
        m.value = static_cast<double>(outcome.latency_us) / 1e6;
        break;
      case Signal::Kind::kResponseValue:
        // What failed is the business of the error guardrail, what the client did wrong nobody's.
        if (!answered || outcome.status >= 400) continue;
        m.value = static_cast<double>(value_of(i, outcome));
        break;
      case Signal::Kind::kFeedback: continue;
    }
    feed(i, m, on_breach);
  }
}

void GuardrailWatch::observe_label(const Outcome& outcome, bool candidate, double pi, double label, Monotonic now,
                                   const OnBreach& on_breach) {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].signal.kind != Signal::Kind::kFeedback) continue;
    const auto right = was_right(specs_[i].signal, static_cast<double>(value_of(i, outcome)), label);
    if (right) feed(i, {candidate, pi, *right ? 1.0 : 0.0, outcome.cluster, now}, on_breach);
  }
}

std::vector<guardrails::Evidence> GuardrailWatch::evidence() const {
  std::vector<guardrails::Evidence> all;
  for (const guardrails::Guardrail& guardrail : guardrails_) all.push_back(guardrail.evidence());
  return all;
}

}  // namespace backstay::monitor
