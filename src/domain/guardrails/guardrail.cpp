#include "domain/guardrails/guardrail.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace backstay::guardrails {

namespace {

using Kind = Signal::Kind;
using Goal = Objective::Kind;

std::string odds(double log_e) {
  if (log_e > 13.8) return "more than 1,000,000";
  const double e = std::exp(log_e);
  return e < 10 ? fmt::format("{:.1f}", e) : fmt::format("{:.0f}", e);
}

double mean_of(double sum, std::uint64_t n) {
  return n == 0 ? 0.0 : sum / static_cast<double>(n);
}

}  // namespace

std::optional<bool> was_right(const Signal& signal, double predicted_score, double label) {
  const bool positive = label >= 0.5;
  if (signal.among == Signal::Among::kPositives && !positive) return std::nullopt;
  if (signal.among == Signal::Among::kNegatives && positive) return std::nullopt;
  // A prediction that held no score was no use to anyone.
  if (std::isnan(predicted_score)) return false;
  return (predicted_score >= signal.positive_at) == positive;
}

bool agree(const Signal& signal, double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return false;
  if (signal.ok_when) return signal.ok_when->holds(a) == signal.ok_when->holds(b);
  return std::abs(a - b) <= signal.difference;
}

bool is_bad(const GuardrailSpec& spec, double value) {
  if (std::isnan(value)) return true;
  switch (spec.signal.kind) {
    case Kind::kError:
    case Kind::kReport:
    case Kind::kSchema: return value > 0.5;
    case Kind::kFeedback:
    case Kind::kAgreement:
    case Kind::kConversion: return value < 0.5;
    case Kind::kLatency:
    case Kind::kFirstByte: return value > spec.objective.bound;
    case Kind::kResponseValue:
    case Kind::kResponseBytes:
    case Kind::kStatus:
    case Kind::kClassifier: return !spec.signal.ok_when->holds(value);
  }
  return true;
}

double loss(const GuardrailSpec& spec, double value) {
  if (std::isnan(value)) return 1.0;
  return spec.objective.better == Better::kHigher ? 1 - value : value;
}

void observe_loss(std::optional<Cuped>& cuped, const Measurement& m, double loss, bool as_candidate,
                  RelativeMeanTest& test) {
  const double pi = as_candidate == m.candidate ? m.assignment_probability : 1 - m.assignment_probability;
  test.observe(as_candidate, pi, loss, cuped ? cuped->shift(m.covariate) : 0.0);
  if (cuped && !m.candidate) cuped->learn(loss, m.covariate);
}

std::optional<double> adjusted_value(std::optional<Cuped>& cuped, const Measurement& m) {
  if (!cuped) return m.value;
  const bool begins = cuped->seen() >= RelativeRatioTest::kWarmUp;
  const double value = cuped->adjust(m.candidate, m.value, m.covariate);
  return begins ? std::optional(value) : std::nullopt;
}

double allowed_bad(const GuardrailSpec& spec) {
  const Objective& goal = spec.objective;
  if (is_duration(spec.signal.kind)) return 1 - goal.quantile;
  return goal.kind == Goal::kAtLeast ? 1 - goal.bound : goal.bound;
}

std::size_t ClusterSet::place(std::uint64_t key) const {
  std::size_t i = (key * 0x9e3779b97f4a7c15ULL) >> 48;
  while (slots_[i] != key && slots_[i] != 0) i = (i + 1) % kSlots;
  return i;
}

bool ClusterSet::insert(std::uint64_t key) {
  if (key == 0) return true;
  if (slots_.empty()) slots_.assign(kSlots, 0);
  const std::size_t i = place(key);
  if (slots_[i] == key || used_ >= kSlots * 3 / 4) return false;
  slots_[i] = key;
  ++used_;
  return true;
}

bool ClusterSet::contains(std::uint64_t key) const {
  return key != 0 && !slots_.empty() && slots_[place(key)] == key;
}

void AtRisk::count(bool candidate) {
  if (now_.all >= kMany) {
    before_ = now_;
    now_ = {};
  }
  ++now_.all;
  if (candidate) ++now_.candidate;
}

double AtRisk::share(double pi) const {
  const auto candidate = static_cast<double>(now_.candidate + before_.candidate);
  return (candidate + kPrior * pi) / (static_cast<double>(now_.all + before_.all) + kPrior);
}

Guardrail::Test Guardrail::make_test(const GuardrailSpec& spec, double log_limit) {
  constexpr Direction kAgainst = Direction::kAgainst;
  const Objective& goal = spec.objective;
  switch (chosen_test(spec)) {
    case TestKind::kMean: return BoundedMeanTest(goal.bound, spec.restarts);
    case TestKind::kMeanVsStable: return RelativeMeanTest(goal.margin, spec.restarts);
    case TestKind::kValueVsStable: return RelativeValueTest(goal.margin, goal.sigma, goal.better, spec.restarts);
    case TestKind::kRatioVsStable: return RelativeRatioTest(goal.tolerance, goal.better, spec.restarts);
    case TestKind::kLatencyVsStable:
      return RelativeLatencyTest(goal.tolerance, goal.slack_seconds, spec.restarts, kAgainst, log_limit);
    case TestKind::kPairedRate: return PairedRateTest(goal.tolerance, spec.restarts, kAgainst, log_limit);
    case TestKind::kPairedMean: return PairedMeanTest(goal.margin, spec.restarts);
    case TestKind::kRateVsStable:
      // What is seldom decides: the hits. "At least 1/t times stable's" is refuted by too few of them.
      if (spec.signal.kind == Kind::kConversion)
        return RelativeRateTest(1 / goal.tolerance, spec.restarts, Direction::kFor);
      return RelativeRateTest(goal.tolerance, spec.restarts, kAgainst, log_limit);
    case TestKind::kAutomatic:
    case TestKind::kRate: break;
  }
  if (is_attributed(spec.signal.kind)) return UnsettledRateTest(allowed_bad(spec), spec.restarts);
  return AbsoluteRateTest(allowed_bad(spec), spec.restarts, kAgainst, log_limit);
}

Guardrail::Guardrail(GuardrailSpec spec, double alpha, std::optional<double> promise)
    : spec_(std::move(spec)),
      kind_(chosen_test(spec_)),
      log_limit_(-std::log(alpha)),
      log_promise_(-std::log(promise.value_or(alpha))),
      test_(make_test(spec_, log_limit_)) {
  if (spec_.covariate.given()) cuped_.emplace();
}

void Guardrail::count(const Measurement& m) {
  ++(m.candidate ? candidate_n_ : stable_n_);
  if (is_paired(kind_)) ++stable_n_;
  if (std::isnan(m.value)) {
    missing_ += m.candidate ? 1 : 0;
    return;
  }
  (m.candidate ? candidate_sum_ : stable_sum_) += m.value;
  const bool scores = kind_ == TestKind::kMean || kind_ == TestKind::kMeanVsStable || kind_ == TestKind::kPairedMean;
  if (scores && (m.value < 0 || m.value > 1)) ++outside_;
  if (is_paired(kind_) && !std::isnan(m.second)) stable_sum_ += m.second;
  if (kind_ == TestKind::kRatioVsStable && !std::isnan(m.second))
    (m.candidate ? candidate_per_ : stable_per_) += m.second;
}

void Guardrail::begin(Monotonic answered) {
  if (!first_at_) first_at_ = answered;
}

bool Guardrail::observe(const Measurement& m) {
  if (breached_ || window_over_) return false;
  const Monotonic answered = m.answered.value_or(m.at);
  if (m.candidate) begin(answered);
  // Both arms end together: one that is watched longer would tip the comparison. Of answers that were given in time
  // something may still be learnt.
  if (spec_.window && first_at_ && answered - *first_at_ > *spec_.window) {
    window_over_ = !m.answered;
    return false;
  }
  if (is_attributed_rate()) return observe_attributed(m) && breach_at(log_limit_);
  if (m.stage != Measurement::Stage::kSettled) return false;
  count(m);
  bool may_have_risen = false;
  switch (kind_) {
    case TestKind::kRate:
    case TestKind::kAutomatic:
    case TestKind::kRateVsStable: may_have_risen = observe_rate(m); break;
    case TestKind::kPairedRate:
    case TestKind::kPairedMean: may_have_risen = observe_pair(m); break;
    default: may_have_risen = observe_value(m); break;
  }
  // The number of outcomes doesn't look ahead, so neither do the restarts.
  if (m.candidate && spec_.restarts.every > 0 && candidate_n_ % spec_.restarts.every == 0)
    std::visit([](auto& test) { test.restart(); }, test_);
  return may_have_risen && breach_at(log_limit_);
}

bool Guardrail::breach_at(double log_limit) {
  if (!may_act() || log_e() < log_limit) return false;
  log_limit_ = log_limit;
  breached_ = true;
  return true;
}

// True when the evidence against the candidate may have grown: only a bad outcome of its own can do that.
bool Guardrail::observe_rate(const Measurement& m) {
  const bool bad = is_bad(spec_, m.value);
  if (bad) ++(m.candidate ? candidate_bad_ : stable_bad_);
  if (kind_ == TestKind::kRateVsStable) {
    const bool conversion = spec_.signal.kind == Kind::kConversion;
    // Of conversions it is stable's that speak against the candidate.
    return observe_hit(m, bad != conversion) && m.candidate != conversion;
  }
  if (m.candidate) std::get<AbsoluteRateTest>(test_).observe(bad);
  return bad && m.candidate;
}

/// Hits, the outcomes that are rare, decide; of a sticky user's the first. Whether it was bet on.
bool Guardrail::observe_hit(const Measurement& m, bool hit) {
  double pi = m.assignment_probability;
  if (m.cluster != 0) {
    if (clusters_.contains(m.cluster)) return false;
    // Never in favour of what is to be shown: for versions that are alike the draw's chance is exact.
    const double at_risk = at_risk_.share(pi);
    if (pi > 0 && pi < 1) pi = spec_.signal.kind == Kind::kConversion ? std::min(pi, at_risk) : std::max(pi, at_risk);
    at_risk_.count(m.candidate);
  }
  if (!hit || !clusters_.insert(m.cluster)) return false;
  std::get<RelativeRateTest>(test_).observe_bad(m.candidate, pi);
  return true;
}

/// Of a user's report, or its absence; see UnsettledRateTest.
bool Guardrail::observe_attributed(const Measurement& m) {
  using Stage = Measurement::Stage;
  const bool bad = m.stage == Stage::kSettled && is_bad(spec_, m.value);
  if (!m.candidate) {
    if (m.stage == Stage::kOpened) ++stable_n_;
    if (bad) ++stable_bad_;
    return false;
  }
  auto& test = std::get<UnsettledRateTest>(test_);
  if (m.stage == Stage::kOpened) {
    test.open();
    ++open_;
    if (++candidate_n_ % std::max<std::uint64_t>(spec_.restarts.every, 1) == 0) test.restart();
    return false;
  }
  --open_;
  if (bad) ++candidate_bad_;
  test.settle(m.number, bad);
  return bad && test.could_be(log_limit_);
}

// Also what stable does may add to the evidence of these.
bool Guardrail::observe_value(const Measurement& m) {
  if (kind_ == TestKind::kMean) {
    if (m.candidate) std::get<BoundedMeanTest>(test_).observe(std::isnan(m.value) ? 0.0 : m.value);
    return m.candidate;
  }
  const bool bets = clusters_.insert(m.cluster);
  if (kind_ == TestKind::kLatencyVsStable) {
    std::get<RelativeLatencyTest>(test_).observe(m.candidate, m.assignment_probability, m.value, bets);
    return m.candidate;
  }
  if (!bets) return false;
  if (cuped_ && !std::isfinite(m.covariate)) ++without_covariate_;
  if (kind_ == TestKind::kMeanVsStable) {
    observe_loss(cuped_, m, loss(spec_, m.value), m.candidate, std::get<RelativeMeanTest>(test_));
    return true;
  }
  // No number stands for a missing value that may be of any size.
  if (!std::isfinite(m.value) || !std::isfinite(m.second)) return false;
  if (kind_ == TestKind::kValueVsStable) {
    if (const auto value = adjusted_value(cuped_, m)) std::get<RelativeValueTest>(test_).observe(m.candidate, *value);
  } else {
    std::get<RelativeRatioTest>(test_).observe(m.candidate, m.value, m.second);
  }
  return true;
}

bool Guardrail::observe_pair(const Measurement& m) {
  if (kind_ == TestKind::kPairedMean) {
    std::get<PairedMeanTest>(test_).observe(loss(spec_, m.value), loss(spec_, m.second));
    return true;
  }
  const bool candidate = is_bad(spec_, m.value);
  const bool stable = is_bad(spec_, m.second);
  candidate_bad_ += candidate ? 1 : 0;
  stable_bad_ += stable ? 1 : 0;
  std::get<PairedRateTest>(test_).observe(candidate, stable);
  return candidate;
}

double Guardrail::log_e() const {
  return std::visit([](const auto& test) { return test.log_e(); }, test_);
}

Evidence Guardrail::evidence() const {
  Evidence out;
  out.name = spec_.name;
  out.test = kind_;
  out.action = spec_.action;
  out.severity = spec_.severity;
  out.log_e = log_e();
  out.log_limit = log_limit_;
  out.log_promise = log_promise_;
  out.candidate_n = candidate_n_;
  out.candidate_bad = candidate_bad_;
  out.stable_n = stable_n_;
  out.stable_bad = stable_bad_;
  out.missing = missing_;
  out.open = open_;
  out.outside = outside_;
  out.window_over = window_over_;
  out.candidate_mean = mean_of(candidate_sum_, candidate_n_);
  out.stable_mean = mean_of(stable_sum_, stable_n_);
  if (kind_ == TestKind::kRatioVsStable) {
    out.candidate_mean = candidate_per_ == 0 ? 0 : candidate_sum_ / candidate_per_;
    out.stable_mean = stable_per_ == 0 ? 0 : stable_sum_ / stable_per_;
  }
  out.breached = breached_;
  if (cuped_) out.covariate = {cuped_->explained(), without_covariate_};
  out.sentence = sentence(out);
  return out;
}

std::string Guardrail::seen(const Evidence& e) const {
  const double good = 1 - mean_of(static_cast<double>(e.candidate_bad), std::max<std::uint64_t>(e.candidate_n, 1));
  switch (kind_) {
    case TestKind::kLatencyVsStable:
      return fmt::format("the candidate took {:.1f} ms on average over {} requests, stable {:.1f} ms over {}",
                         e.candidate_mean * 1e3, e.candidate_n, e.stable_mean * 1e3, e.stable_n);
    case TestKind::kRateVsStable:
      if (spec_.signal.kind == Kind::kConversion)
        return fmt::format("{} of {} candidate answers were followed by a conversion against {} of {} on stable",
                           e.candidate_n - e.candidate_bad, e.candidate_n, e.stable_n - e.stable_bad, e.stable_n);
      return fmt::format("{} of {} candidate outcomes were bad against {} of {} on stable", e.candidate_bad,
                         e.candidate_n, e.stable_bad, e.stable_n);
    case TestKind::kPairedRate:
      return fmt::format("of {} requests that both versions answered the candidate got {} wrong, stable {}",
                         e.candidate_n, e.candidate_bad, e.stable_bad);
    case TestKind::kMeanVsStable:
    case TestKind::kValueVsStable:
    case TestKind::kPairedMean:
      return fmt::format("the candidate's mean is {:.4g} over {} outcomes, stable's {:.4g} over {}{}", e.candidate_mean,
                         e.candidate_n, e.stable_mean, e.stable_n,
                         e.covariate ? fmt::format(" (of stable's variance the covariate explains {:.0f}%)",
                                                   e.covariate->explained * 100)
                                     : "");
    case TestKind::kRatioVsStable:
      return fmt::format("the candidate's ratio is {:.4g} over {} outcomes, stable's {:.4g} over {}", e.candidate_mean,
                         e.candidate_n, e.stable_mean, e.stable_n);
    case TestKind::kMean:
      return fmt::format("the candidate's mean is {:.3f} over {} outcomes; the objective is at least {:g}",
                         e.candidate_mean, e.candidate_n, spec_.objective.bound);
    case TestKind::kAutomatic:
    case TestKind::kRate: break;
  }
  if (is_duration(spec_.signal.kind))
    return fmt::format("{} of {} candidate answers took longer than {:g} s; the objective allows {:g}%",
                       e.candidate_bad, e.candidate_n, spec_.objective.bound, (1 - spec_.objective.quantile) * 100);
  const bool at_least = spec_.objective.kind == Goal::kAtLeast;
  if (spec_.signal.kind == Kind::kAgreement)
    return fmt::format("on {} of {} requests the versions disagreed; the objective is that at least {:g}% agree",
                       e.candidate_bad, e.candidate_n, spec_.objective.bound * 100);
  if (is_attributed_rate())
    return fmt::format("{} of {} candidate answers were {} ({} still may be); the objective is at {} {:g}%{}",
                       e.candidate_bad, e.candidate_n, at_least ? "not followed by a conversion" : "reported", e.open,
                       at_least ? "least" : "most", spec_.objective.bound * 100, at_least ? " that are" : "");
  return fmt::format("{} of {} candidate outcomes were bad ({:.1f}% good); the objective is at {} {:g}% {}",
                     e.candidate_bad, e.candidate_n, good * 100, at_least ? "least" : "most",
                     spec_.objective.bound * 100, at_least ? "good" : "bad");
}

std::string Guardrail::sentence(const Evidence& e) const {
  const bool together = e.log_promise != e.log_limit;
  return fmt::format(
      "{}: {}{}. Evidence {} to 1, limit {:.0f} to 1{}", e.name, seen(e),
      e.outside == 0 ? ""
                     : fmt::format("; {} values are outside of [0, 1] and count as 0 or 1 (compare them with stable by "
                                   "test: value_vs_stable)",
                                   e.outside),
      odds(e.log_e), std::exp(e.log_limit),
      e.breached      ? fmt::format(": {} less than once in {:.0f} releases.",
                               together ? "of versions that meet every objective the guardrails together take one back"
                                             : "a version that meets the objective would show this",
                                    std::exp(e.log_promise))
      : e.window_over ? ". Its window is over: it counts no more."
                      : std::string("."));
}

}  // namespace backstay::guardrails
