#include "monitor/guardrail_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "domain/guardrails/e_bh.hpp"

namespace backstay::monitor {

using guardrails::Measurement;
using guardrails::Signal;
using traffic::Ending;
using traffic::Outcome;

namespace {

// The place of a value among the sources; -1: the guardrail takes none.
int place(std::vector<gateway::ValueSource>& sources, const guardrails::Value& value) {
  if (!value.given()) return -1;
  const auto known = std::find_if(sources.begin(), sources.end(), [&](const gateway::ValueSource& source) {
    return source.json_pointer == value.json_pointer && source.header == value.header;
  });
  const auto index = static_cast<int>(known - sources.begin());
  if (known == sources.end()) sources.push_back({value.json_pointer, value.header});
  return index;
}

double at(int slot, const Outcome& outcome) {
  return static_cast<double>(slot < 0 ? traffic::kNoValue : outcome.values[static_cast<std::size_t>(slot)]);
}

}  // namespace

Result<ValuePlan> plan_values(const std::vector<guardrails::GuardrailSpec>& specs) {
  ValuePlan plan;
  for (const guardrails::GuardrailSpec& spec : specs) {
    const Signal& signal = spec.signal;
    plan.slots.push_back({place(plan.sources, {signal.json_pointer, signal.header}), place(plan.sources, signal.per),
                          place(plan.sources, signal.segment)});
  }
  if (plan.sources.size() > traffic::kMaxValues)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("The guardrails take {} different values from a response; {} is the most.",
                                  plan.sources.size(), traffic::kMaxValues),
                      "Let guardrails share a json_pointer or header.");
  return plan;
}

std::optional<Outcome> PairTable::match(const Outcome& outcome) {
  if (waiting_.empty()) waiting_.resize(kSlots);
  Outcome& slot = waiting_[outcome.prediction.low % kSlots];
  const bool partner = slot.prediction == outcome.prediction &&
                       (slot.role == traffic::Role::kShadow) != (outcome.role == traffic::Role::kShadow);
  std::optional<Outcome> found;
  if (partner) found = slot;
  slot = partner ? Outcome() : outcome;
  return found;
}

GuardrailWatch::GuardrailWatch(std::vector<guardrails::GuardrailSpec> specs, std::vector<ValueSlots> slots,
                               guardrails::Family family)
    : specs_(std::move(specs)), slots_(std::move(slots)), family_(family) {
  reset();
}

void GuardrailWatch::reset() {
  guardrails_.clear();
  const bool each = family_.control == guardrails::Family::Control::kEach;
  const double share = family_.alpha / static_cast<double>(specs_.size());
  for (const guardrails::GuardrailSpec& spec : specs_) guardrails_.emplace_back(spec, each ? spec.alpha : share);
  log_es_.resize(specs_.size());
  scratch_.resize(specs_.size());
  pairs_.clear();
  claims_.clear();
  for (const Required& required : required_) claims_.emplace_back(required.spec, required.alpha);
}

std::vector<rollout::Shown> GuardrailWatch::shown(std::size_t step) const {
  std::vector<rollout::Shown> out;
  for (std::size_t i = 0; i < claims_.size(); ++i) {
    if (required_[i].index == step) out.push_back({claims_[i].log_e(), claims_[i].log_limit()});
  }
  return out;
}

bool GuardrailWatch::in_segment(std::size_t index, const Outcome& outcome) const {
  const std::optional<guardrails::Predicate>& where = specs_[index].signal.where;
  return !where || where->holds(at(slots_[index].segment, outcome));
}

void GuardrailWatch::feed(std::size_t index, const Measurement& measurement, const OnBreach& on_breach) {
  for (std::size_t i = 0; i < claims_.size(); ++i) {
    if (required_[i].guardrail == index) claims_[i].observe(measurement);
  }
  if (guardrails_[index].observe(measurement)) on_breach(guardrails_[index].evidence());
  if (family_.control != guardrails::Family::Control::kEBh || guardrails_[index].breached()) return;
  // The least that e-BH ever asks for is 1/alpha, of all at once.
  if (guardrails_[index].may_act() && guardrails_[index].log_e() >= -std::log(family_.alpha)) judge_together(on_breach);
}

// A rollback ends the rollout, so this is one joint stop. Flags and pauses go on afterwards, and are left to the share
// of alpha that each has: e-BH says nothing of the largest values that each ever had.
void GuardrailWatch::judge_together(const OnBreach& on_breach) {
  for (std::size_t i = 0; i < guardrails_.size(); ++i) log_es_[i] = guardrails_[i].log_e();
  const guardrails::Rejection rejected = guardrails::e_bh(log_es_, family_.alpha, scratch_);
  if (rejected.count == 0) return;
  for (std::size_t i = 0; i < guardrails_.size(); ++i) {
    if (specs_[i].action == guardrails::Action::kRollBack && guardrails_[i].breach_at(rejected.log_limit))
      on_breach(guardrails_[i].evidence());
  }
}

std::optional<double> GuardrailWatch::signal_of(std::size_t index, const Outcome& outcome) const {
  const bool answered = outcome.ending == Ending::kAnswered;
  switch (specs_[index].signal.kind) {
    case Signal::Kind::kError: return is_error(outcome) ? 1.0 : 0.0;
    case Signal::Kind::kLatency:
      // A copy is sent when the client has its answer and asks on: it meets another load than what it is held
      // against.
      if (!answered || outcome.role == traffic::Role::kShadow) return std::nullopt;
      return static_cast<double>(outcome.latency_us) / 1e6;
    case Signal::Kind::kResponseValue:
      // What failed is the business of the error guardrail, what the client did wrong nobody's.
      if (!answered || outcome.status >= 400) return std::nullopt;
      return at(slots_[index].value, outcome);
    case Signal::Kind::kFeedback: break;
  }
  return std::nullopt;
}

void GuardrailWatch::observe(const Outcome& outcome, bool candidate, double pi, const OnBreach& on_breach) {
  // A client that left says nothing of the version; a replay on stable is no draw of the split.
  if (outcome.ending == Ending::kClientAbandoned || outcome.fallback) return;
  std::optional<Outcome> partner;
  bool looked = false;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (!in_segment(i, outcome)) continue;
    if (is_paired(chosen_test(specs_[i]))) {
      if (!looked) partner = pairs_.match(outcome);
      looked = true;
      if (partner) observe_pair(i, candidate ? outcome : *partner, candidate ? *partner : outcome, on_breach);
      continue;
    }
    const std::optional<double> value = signal_of(i, outcome);
    if (!value) continue;
    Measurement m{candidate, pi, *value, outcome.cluster, outcome.at};
    if (slots_[i].per >= 0) m.second = at(slots_[i].per, outcome);
    feed(i, m, on_breach);
  }
}

void GuardrailWatch::observe_pair(std::size_t index, const Outcome& candidate, const Outcome& stable,
                                  const OnBreach& on_breach) {
  const std::optional<double> own = signal_of(index, candidate);
  const std::optional<double> other = signal_of(index, stable);
  if (own && other) feed(index, {true, 0.5, *own, candidate.cluster, candidate.at, *other}, on_breach);
}

void GuardrailWatch::observe_label(const Outcome& outcome, bool candidate, double pi, double label, Monotonic now,
                                   const OnBreach& on_breach) {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].signal.kind != Signal::Kind::kFeedback || !in_segment(i, outcome)) continue;
    const auto right = was_right(specs_[i].signal, at(slots_[i].value, outcome), label);
    if (right) feed(i, {candidate, pi, *right ? 1.0 : 0.0, outcome.cluster, now}, on_breach);
  }
}

std::vector<guardrails::Evidence> GuardrailWatch::evidence() const {
  std::vector<guardrails::Evidence> all;
  for (const guardrails::Guardrail& guardrail : guardrails_) all.push_back(guardrail.evidence());
  return all;
}

}  // namespace backstay::monitor
