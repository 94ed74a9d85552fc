#include "domain/guardrails/guardrail.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace backstay::guardrails {

namespace {

using Kind = Signal::Kind;
using Goal = Objective::Kind;

Unexpected wrong(const GuardrailSpec& spec, const std::string& what, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The guardrail '{}' {}.", spec.name, what),
                    std::move(hint));
}

bool is_mean(const GuardrailSpec& spec) {
  return spec.signal.kind == Kind::kResponseValue && !spec.signal.ok_when;
}

using Test = std::variant<AbsoluteRateTest, RelativeRateTest, BoundedMeanTest, RelativeLatencyTest>;

Test make_test(const GuardrailSpec& spec) {
  const Objective& goal = spec.objective;
  if (goal.kind == Goal::kRelativeToStable) {
    if (spec.signal.kind == Kind::kLatency) return RelativeLatencyTest(goal.tolerance, goal.slack_seconds);
    return RelativeRateTest(goal.tolerance);
  }
  if (is_mean(spec)) return BoundedMeanTest(goal.bound);
  if (spec.signal.kind == Kind::kLatency) return AbsoluteRateTest(1 - goal.quantile);
  return AbsoluteRateTest(goal.kind == Goal::kAtLeast ? 1 - goal.bound : goal.bound);
}

std::string odds(double log_e) {
  if (log_e > 13.8) return "more than 1,000,000";
  const double e = std::exp(log_e);
  return e < 10 ? fmt::format("{:.1f}", e) : fmt::format("{:.0f}", e);
}

}  // namespace

bool Predicate::holds(double x) const {
  switch (op) {
    case Op::kAtLeast: return x >= value;
    case Op::kAbove: return x > value;
    case Op::kAtMost: return x <= value;
    case Op::kBelow: return x < value;
  }
  return false;
}

const char* to_string(Action action) {
  switch (action) {
    case Action::kRollBack: return "rollback";
    case Action::kPause: return "pause";
    case Action::kFlag: return "flag";
  }
  return "rollback";
}

Result<void> validate(const GuardrailSpec& spec) {
  const Objective& goal = spec.objective;
  if (spec.name.empty()) return wrong(spec, "has no name", "Give it one, like safety.");
  if (!(spec.alpha > 0 && spec.alpha <= 0.5)) return wrong(spec, "has an alpha outside of (0, 0.5]", "0.01 is usual.");
  if (spec.signal.kind == Kind::kResponseValue && spec.signal.json_pointer.empty() == spec.signal.header.empty())
    return wrong(spec, "needs exactly one of json_pointer and header", "Say where in the response the value is.");
  if (spec.signal.kind == Kind::kFeedback && spec.signal.json_pointer.empty() && spec.signal.header.empty())
    return wrong(spec, "doesn't say where the predicted score is", "Give json_pointer or header.");
  if (!spec.signal.json_pointer.empty() && spec.signal.json_pointer.front() != '/')
    return wrong(spec, "has a json_pointer that doesn't start with '/'", "Write it like /outputs/0/data/1.");
  if (goal.kind == Goal::kRelativeToStable) {
    if (is_mean(spec)) return wrong(spec, "compares a score with stable", "Give ok_when, or an objective at_least.");
    if (!(goal.tolerance >= 1))
      return wrong(spec, "has a tolerance below 1", "1.5 lets the candidate be half as bad again.");
    if (!(goal.slack_seconds >= 0)) return wrong(spec, "has a slack below zero", "Write slack: 5ms.");
    return {};
  }
  if (spec.signal.kind == Kind::kLatency) {
    if (goal.kind != Goal::kAtMost || !(goal.bound > 0))
      return wrong(spec, "needs a latency objective at_most above zero", "Write at_most: 250ms.");
    if (!(goal.quantile > 0 && goal.quantile < 1))
      return wrong(spec, "has a quantile outside of (0, 1)", "Write quantile: 0.99.");
    return {};
  }
  if (goal.kind == Goal::kAtMost && spec.signal.kind != Kind::kError)
    return wrong(spec, "has an objective at_most",
                 "Signals other than errors and latency take at_least: the share that is good.");
  if (!(goal.bound > 0 && goal.bound < 1))
    return wrong(spec, "has an objective outside of (0, 1)", "Write it as a ratio: 0.95.");
  return {};
}

std::optional<bool> was_right(const Signal& signal, double predicted_score, double label) {
  const bool positive = label >= 0.5;
  if (signal.among == Signal::Among::kPositives && !positive) return std::nullopt;
  if (signal.among == Signal::Among::kNegatives && positive) return std::nullopt;
  // A prediction that held no score was no use to anyone.
  if (std::isnan(predicted_score)) return false;
  return (predicted_score >= signal.positive_at) == positive;
}

bool ClusterSet::insert(std::uint64_t key) {
  if (key == 0) return true;
  if (slots_.empty()) slots_.assign(kSlots, 0);
  for (std::size_t i = (key * 0x9e3779b97f4a7c15ULL) >> 48;; i = (i + 1) % kSlots) {
    if (slots_[i] == key) return false;
    if (slots_[i] != 0) continue;
    if (used_ >= kSlots * 3 / 4) return false;
    slots_[i] = key;
    ++used_;
    return true;
  }
}

Guardrail::Guardrail(GuardrailSpec spec, double alpha)
    : spec_(std::move(spec)), log_limit_(-std::log(alpha)), test_(make_test(spec_)) {}

bool Guardrail::observe(const Measurement& m) {
  if (breached_) return false;
  if (m.candidate) {
    if (!first_at_) first_at_ = m.at;
    if (spec_.window && m.at - *first_at_ > *spec_.window) return false;
  }
  ++(m.candidate ? candidate_n_ : stable_n_);
  const bool missing = std::isnan(m.value);
  missing_ += missing && m.candidate ? 1 : 0;
  if (!missing) (m.candidate ? candidate_sum_ : stable_sum_) += m.value;

  bool may_have_risen = false;
  if (spec_.signal.kind == Kind::kLatency && relative()) {
    const bool bets = clusters_.insert(m.cluster);
    std::get<RelativeLatencyTest>(test_).observe(m.candidate, m.assignment_probability, m.value, bets);
    may_have_risen = m.candidate;
  } else if (is_mean(spec_)) {
    if (m.candidate) std::get<BoundedMeanTest>(test_).observe(missing ? 0.0 : m.value);
    may_have_risen = m.candidate;
  } else {
    bool bad = m.value > 0.5;
    if (spec_.signal.kind == Kind::kFeedback) bad = m.value < 0.5;
    if (spec_.signal.kind == Kind::kLatency) bad = m.value > spec_.objective.bound;
    if (spec_.signal.kind == Kind::kResponseValue) bad = !spec_.signal.ok_when->holds(m.value);
    may_have_risen = observe_rate(m, bad || missing);
  }
  if (!may_have_risen || candidate_n_ < spec_.min_samples || log_e() < log_limit_) return false;
  breached_ = true;
  return true;
}

// True when the evidence against the candidate may have grown: only a bad outcome of its own can do that.
bool Guardrail::observe_rate(const Measurement& m, bool bad) {
  if (bad) ++(m.candidate ? candidate_bad_ : stable_bad_);
  if (relative()) {
    if (bad && clusters_.insert(m.cluster))
      std::get<RelativeRateTest>(test_).observe_bad(m.candidate, m.assignment_probability);
  } else if (m.candidate) {
    std::get<AbsoluteRateTest>(test_).observe(bad);
  }
  return bad && m.candidate;
}

double Guardrail::log_e() const {
  return std::visit([](const auto& test) { return test.log_e(); }, test_);
}

Evidence Guardrail::evidence() const {
  Evidence out;
  out.name = spec_.name;
  out.action = spec_.action;
  out.log_e = log_e();
  out.log_limit = log_limit_;
  out.candidate_n = candidate_n_;
  out.candidate_bad = candidate_bad_;
  out.stable_n = stable_n_;
  out.stable_bad = stable_bad_;
  out.missing = missing_;
  if (candidate_n_ > 0) out.candidate_mean = candidate_sum_ / static_cast<double>(candidate_n_);
  if (stable_n_ > 0) out.stable_mean = stable_sum_ / static_cast<double>(stable_n_);
  out.breached = breached_;
  out.sentence = sentence(out);
  return out;
}

std::string Guardrail::sentence(const Evidence& e) const {
  std::string seen;
  const double good =
      e.candidate_n == 0 ? 1 : 1 - static_cast<double>(e.candidate_bad) / static_cast<double>(e.candidate_n);
  if (relative() && spec_.signal.kind == Kind::kLatency) {
    seen = fmt::format("the candidate took {:.1f} ms on average over {} requests, stable {:.1f} ms over {}",
                       e.candidate_mean * 1e3, e.candidate_n, e.stable_mean * 1e3, e.stable_n);
  } else if (relative()) {
    seen = fmt::format("{} of {} candidate outcomes were bad against {} of {} on stable", e.candidate_bad,
                       e.candidate_n, e.stable_bad, e.stable_n);
  } else if (is_mean(spec_)) {
    seen = fmt::format("the candidate's mean is {:.3f} over {} outcomes; the objective is at least {:g}",
                       e.candidate_mean, e.candidate_n, spec_.objective.bound);
  } else if (spec_.signal.kind == Kind::kLatency) {
    seen = fmt::format("{} of {} candidate answers took longer than {:g} s; the objective allows {:g}%",
                       e.candidate_bad, e.candidate_n, spec_.objective.bound, (1 - spec_.objective.quantile) * 100);
  } else {
    const bool at_least = spec_.objective.kind == Goal::kAtLeast;
    seen = fmt::format("{} of {} candidate outcomes were bad ({:.1f}% good); the objective is at {} {:g}% {}",
                       e.candidate_bad, e.candidate_n, good * 100, at_least ? "least" : "most",
                       spec_.objective.bound * 100, at_least ? "good" : "bad");
  }
  const double limit = std::exp(e.log_limit);
  return fmt::format(
      "{}: {}. Evidence {} to 1, limit {:.0f} to 1{}", e.name, seen, odds(e.log_e), limit,
      e.breached ? fmt::format(
                       ": a version that meets the objective would show this less than once in {:.0f} releases.", limit)
                 : std::string("."));
}

std::vector<GuardrailSpec> default_guardrails() {
  GuardrailSpec errors;
  errors.name = "errors";
  GuardrailSpec latency;
  latency.name = "latency";
  latency.signal.kind = Kind::kLatency;
  latency.objective.tolerance = 1.5;
  return {errors, latency};
}

}  // namespace backstay::guardrails
