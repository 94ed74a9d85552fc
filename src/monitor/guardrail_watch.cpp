#include "monitor/guardrail_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "domain/guardrails/e_bh.hpp"
#include "domain/guardrails/tensor_element.hpp"
#include "domain/traffic/text_value.hpp"
#include "domain/traffic/unknown_value.hpp"

namespace backstay::monitor {

using guardrails::Measurement;
using guardrails::Signal;
using traffic::Ending;
using traffic::Outcome;

namespace {

// The place of a value among the sources; -1: the guardrail takes none.
int place(std::vector<gateway::ValueSource>& sources, const guardrails::Value& value,
          gateway::ValueSource::Of of = gateway::ValueSource::Of::kResponse) {
  if (!value.given()) return -1;
  gateway::ValueSource source{value.json_pointer, value.header};
  source.of = of;
  if (!value.tensor.empty()) {
    auto element = guardrails::TensorElement::parse(value.tensor);
    if (!element) return -1;  // Refused by validate().
    source.tensor = std::move(element->name);
    source.index = std::move(element->index);
  }
  const auto known = std::find(sources.begin(), sources.end(), source);
  const auto index = static_cast<int>(known - sources.begin());
  if (known == sources.end()) sources.push_back(std::move(source));
  return index;
}

// Likewise of an examiner.
int place(std::vector<std::string>& examiners, const Signal& signal) {
  if (!is_examined(signal.kind)) return -1;
  const auto known = std::find(examiners.begin(), examiners.end(), signal.classifier);
  const auto index = static_cast<int>(known - examiners.begin());
  if (known == examiners.end()) examiners.push_back(signal.classifier);
  return index;
}

// What never got its answer took longer than any objective. Guardrails leave it to the one on errors: nothing is taken
// back twice for the same. A claim about times may not leave out the longest of them.
constexpr double kNeverAnswered = 1e9;  ///< Seconds.

bool is_unanswered(const Signal& signal, const Outcome& outcome) {
  return is_duration(signal.kind) && is_error(outcome) && outcome.role != traffic::Role::kShadow;
}

double at(int slot, const Outcome& outcome) {
  return static_cast<double>(slot < 0 ? traffic::kNoValue : outcome.values[static_cast<std::size_t>(slot)]);
}

/// The value is there, perhaps, and nobody can tell: evidence of nothing.
bool is_unknown(int slot, const Outcome& outcome) {
  return slot >= 0 && traffic::is_unknown(outcome.values[static_cast<std::size_t>(slot)]);
}

/// For what calculates with it: a text is none.
double number_at(int slot, const Outcome& outcome) {
  const double value = at(slot, outcome);
  return traffic::is_text(value) ? static_cast<double>(traffic::kNoValue) : value;
}

}  // namespace

Result<ValuePlan> plan_values(const std::vector<guardrails::GuardrailSpec>& specs) {
  ValuePlan plan;
  for (const guardrails::GuardrailSpec& spec : specs) {
    const Signal& signal = spec.signal;
    plan.slots.push_back(
        {place(plan.sources, signal.value()), place(plan.sources, signal.per),
         place(plan.sources, signal.segment,
               signal.segment_of_request ? gateway::ValueSource::Of::kRequest : gateway::ValueSource::Of::kResponse),
         place(plan.examiners, signal), place(plan.sources, spec.covariate, gateway::ValueSource::Of::kRequest)});
  }
  if (plan.sources.size() > traffic::kMaxValues)
    return Unexpected(
        ErrorCode::kInvalidArgument,
        fmt::format("The guardrails take {} different values from requests and responses; {} is the most.",
                    plan.sources.size(), traffic::kMaxValues),
        "Let guardrails share a json_pointer, header or tensor.");
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
  for (const guardrails::GuardrailSpec& spec : specs_)
    of_pairs_.push_back(is_paired(chosen_test(spec)) || spec.signal.kind == Signal::Kind::kAgreement);
  reset();
}

guardrails::Guardrail GuardrailWatch::fresh(std::size_t index) const {
  const guardrails::GuardrailSpec& spec = specs_[index];
  const bool each = family_.control == guardrails::Family::Control::kEach;
  const double share = family_.alpha / static_cast<double>(specs_.size());
  // With e-BH any of them may be asked for less than its share: what holds is the promise of all together.
  const bool together =
      family_.control == guardrails::Family::Control::kEBh && spec.action == guardrails::Action::kRollBack;
  return {spec, each ? spec.alpha : share, together ? std::optional(family_.alpha) : std::nullopt};
}

void GuardrailWatch::rearm() {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].action == guardrails::Action::kRollBack || !guardrails_[i].breached()) continue;
    guardrails_[i] = fresh(i);
    if (windows_[i]) windows_[i]->clear();
  }
}

void GuardrailWatch::reset() {
  guardrails_.clear();
  for (std::size_t i = 0; i < specs_.size(); ++i) guardrails_.push_back(fresh(i));
  log_es_.resize(specs_.size());
  scratch_.resize(specs_.size());
  pairs_.clear();
  windows_.clear();
  for (const guardrails::GuardrailSpec& spec : specs_) {
    windows_.emplace_back();
    if (is_attributed(spec.signal.kind)) windows_.back().emplace(spec.signal.within);
  }
  claims_.clear();
  for (const Required& required : required_) claims_.emplace_back(required.spec, required.alpha);
}

std::vector<rollout::Shown> GuardrailWatch::shown(std::size_t step) const {
  std::vector<rollout::Shown> out;
  for (std::size_t i = 0; i < claims_.size(); ++i) {
    if (required_[i].index != step) continue;
    out.push_back({claims_[i].log_e(), claims_[i].log_limit(), claims_[i].seen_enough()});
  }
  return out;
}

bool GuardrailWatch::in_segment(std::size_t index, const Outcome& outcome) const {
  const std::optional<guardrails::Predicate>& where = specs_[index].signal.where;
  return !where || where->holds(at(slots_[index].segment, outcome));
}

void GuardrailWatch::feed_claims(std::size_t index, const Measurement& measurement) {
  for (std::size_t i = 0; i < claims_.size(); ++i) {
    if (required_[i].guardrail == index) claims_[i].observe(measurement);
  }
}

void GuardrailWatch::feed(std::size_t index, const Measurement& measurement, const OnBreach& on_breach) {
  feed_claims(index, measurement);
  if (guardrails_[index].observe(measurement)) on_breach(guardrails_[index].evidence());
  if (measurement.stage != Measurement::Stage::kSettled) return;
  if (family_.control != guardrails::Family::Control::kEBh || guardrails_[index].breached()) return;
  // The least that e-BH ever asks for is 1/alpha, of all at once.
  if (guardrails_[index].may_act() && guardrails_[index].log_e() >= -std::log(family_.alpha)) judge_together(on_breach);
}

// A rollback ends the rollout, so this is one joint stop. Flags and pauses go on afterwards, and are left to the share
// of alpha that each has: e-BH says nothing of the largest values that each ever had.
void GuardrailWatch::judge_together(const OnBreach& on_breach) {
  for (std::size_t i = 0; i < guardrails_.size(); ++i) log_es_[i] = guardrails_[i].log_e_together();
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
    case Signal::Kind::kFirstByte:
      if (!answered || outcome.role == traffic::Role::kShadow || outcome.first_byte_us == 0) return std::nullopt;
      return static_cast<double>(outcome.first_byte_us) / 1e6;
    case Signal::Kind::kResponseBytes:
      if (!answered || outcome.status >= 400) return std::nullopt;
      return static_cast<double>(outcome.response_bytes);
    case Signal::Kind::kStatus:
      if (!answered || outcome.status >= 500) return std::nullopt;  // The business of the error guardrail.
      return static_cast<double>(outcome.status);
    case Signal::Kind::kAgreement:
    case Signal::Kind::kResponseValue:
      // What failed is the business of the error guardrail, what the client did wrong nobody's.
      if (!answered || outcome.status >= 400 || is_unknown(slots_[index].value, outcome) ||
          is_unknown(slots_[index].per, outcome))
        return std::nullopt;
      return specs_[index].signal.ok_when || specs_[index].signal.kind == Signal::Kind::kAgreement
                 ? at(slots_[index].value, outcome)
                 : number_at(slots_[index].value, outcome);
    case Signal::Kind::kFeedback:
    case Signal::Kind::kReport:
    case Signal::Kind::kConversion:
    case Signal::Kind::kSchema:
    case Signal::Kind::kClassifier: break;
  }
  return std::nullopt;
}

void GuardrailWatch::show(const Observation& o, const OnBreach& on_breach) {
  const auto told = [&](FeedbackKind kind) {
    observe_feedback(kind, o.outcome, o.candidate, o.pi, o.label, o.at, on_breach);
  };
  switch (o.kind) {
    case Observation::Kind::kOutcome: return observe(o.outcome, o.candidate, o.pi, on_breach);
    case Observation::Kind::kLabel: return told(FeedbackKind::kLabel);
    case Observation::Kind::kReport: return told(FeedbackKind::kReport);
    case Observation::Kind::kConversion: return told(FeedbackKind::kConversion);
    case Observation::Kind::kVerdict:
      return observe_verdict(o.examiner, o.outcome, o.candidate, o.pi, o.label, o.at, on_breach);
    case Observation::Kind::kReset: return reset();
    case Observation::Kind::kRearm: return rearm();
  }
}

void GuardrailWatch::observe(const Outcome& outcome, bool candidate, double pi, const OnBreach& on_breach) {
  // A client that left says nothing of the version; a replay on stable is no draw of the split.
  close_windows(outcome.at, on_breach);
  if (outcome.ending == Ending::kClientAbandoned || outcome.fallback) return;
  std::optional<Outcome> partner;
  bool looked = false;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (!in_segment(i, outcome)) continue;
    if (windows_[i]) {
      // Only what a client has seen can be followed by anything.
      const bool seen = outcome.ending == Ending::kAnswered && outcome.status < 400 && !outcome.replayed &&
                        outcome.role != traffic::Role::kShadow;
      if (!seen) continue;
      if (const auto opened = windows_[i]->open(outcome, candidate, pi)) feed(i, *opened, on_breach);
      continue;
    }
    if (candidate && is_known_later(specs_[i].signal.kind)) guardrails_[i].begin(outcome.at);
    if (of_pairs_[i]) {
      if (pi <= 0) continue;  // No copy of it was sent.
      if (!looked) partner = pairs_.match(outcome);
      looked = true;
      if (partner) observe_pair(i, candidate ? outcome : *partner, candidate ? *partner : outcome, on_breach);
      continue;
    }
    if (is_unanswered(specs_[i].signal, outcome)) {
      feed_claims(i, {candidate, pi, kNeverAnswered, outcome.cluster, outcome.at});
      continue;
    }
    const std::optional<double> value = signal_of(i, outcome);
    const bool unread =
        slots_[i].value >= 0 && traffic::is_unread(outcome.values[static_cast<std::size_t>(slots_[i].value)]);
    if (candidate && unread) guardrails_[i].pass_over();
    if (!value) continue;
    Measurement m{candidate, pi, *value, outcome.cluster, outcome.at};
    if (slots_[i].per >= 0) m.second = number_at(slots_[i].per, outcome);
    m.covariate = number_at(slots_[i].covariate, outcome);
    feed(i, m, on_breach);
  }
}

void GuardrailWatch::observe_pair(std::size_t index, const Outcome& candidate, const Outcome& stable,
                                  const OnBreach& on_breach) {
  const std::optional<double> own = signal_of(index, candidate);
  const std::optional<double> other = signal_of(index, stable);
  if (specs_[index].signal.kind == Signal::Kind::kAgreement) {
    if (!other || std::isnan(*other)) return;  // There is nothing to agree with.
    if (is_unknown(slots_[index].value, candidate)) return;
    const bool agree = own && guardrails::agree(specs_[index].signal, *own, *other);
    return feed(index, {true, 0.5, agree ? 1.0 : 0.0, candidate.cluster, candidate.at}, on_breach);
  }
  if (own && other) feed(index, {true, 0.5, *own, candidate.cluster, candidate.at, *other}, on_breach);
}

std::optional<bool> GuardrailWatch::was_right(std::size_t index, const Outcome& outcome, double label) const {
  if (specs_[index].signal.kind != Signal::Kind::kFeedback || !in_segment(index, outcome)) return std::nullopt;
  if (is_unknown(slots_[index].value, outcome)) return std::nullopt;
  return guardrails::was_right(specs_[index].signal, at(slots_[index].value, outcome), label);
}

void GuardrailWatch::observe_label(std::size_t index, const Outcome& outcome, bool candidate, double pi, double label,
                                   Monotonic now, const OnBreach& on_breach) {
  const auto right = was_right(index, outcome, label);
  if (!right) return;
  Measurement m{candidate, pi, *right ? 1.0 : 0.0, outcome.cluster, now};
  m.answered = outcome.at;
  feed(index, m, on_breach);
}

void GuardrailWatch::observe_feedback(FeedbackKind kind, const Outcome& outcome, bool candidate, double pi,
                                      double value, Monotonic now, const OnBreach& on_breach) {
  close_windows(now, on_breach);
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const Signal::Kind signal = specs_[i].signal.kind;
    if (kind == FeedbackKind::kLabel) observe_label(i, outcome, candidate, pi, value, now, on_breach);
    const bool attributed = (kind == FeedbackKind::kReport && signal == Signal::Kind::kReport) ||
                            (kind == FeedbackKind::kConversion && signal == Signal::Kind::kConversion);
    if (!attributed) continue;
    // What is known of the answer is what was known when it was given: that is the draw it was part of.
    if (std::optional<Measurement> seen = windows_[i]->take(outcome.prediction, now)) {
      seen->value = 1;
      feed(i, *seen, on_breach);
    }
  }
}

void GuardrailWatch::close_windows(Monotonic now, const OnBreach& on_breach) {
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    if (!windows_[i]) continue;
    while (const std::optional<Measurement> closed = windows_[i]->close_one(now)) feed(i, *closed, on_breach);
  }
}

void GuardrailWatch::observe_verdict(std::size_t examiner, const Outcome& outcome, bool candidate, double pi,
                                     double value, Monotonic now, const OnBreach& on_breach) {
  if (std::isnan(value)) return;  // It is counted where it went missing, and says nothing of the version.
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (slots_[i].examiner != static_cast<int>(examiner) || !in_segment(i, outcome)) continue;
    Measurement m{candidate, pi, value, outcome.cluster, now};
    m.answered = outcome.at;
    feed(i, m, on_breach);
  }
}

std::vector<guardrails::Evidence> GuardrailWatch::evidence() const {
  std::vector<guardrails::Evidence> all;
  for (const guardrails::Guardrail& guardrail : guardrails_) all.push_back(guardrail.evidence());
  return all;
}

}  // namespace backstay::monitor
