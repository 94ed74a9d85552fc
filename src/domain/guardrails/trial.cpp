#include "domain/guardrails/trial.hpp"

#include <cmath>
#include <utility>

#include "domain/guardrails/judgement.hpp"

namespace backstay::guardrails {

namespace {

using Kind = Signal::Kind;

Test make_test(const GuardrailSpec& spec, const RestartPlan& restarts, double log_limit) {
  constexpr Direction kAgainst = Direction::kAgainst;
  const Objective& goal = spec.objective;
  switch (chosen_test(spec)) {
    case TestKind::kMean: return BoundedMeanTest(goal.bound, restarts);
    case TestKind::kMeanVsStable: return RelativeMeanTest(goal.margin, restarts);
    case TestKind::kValueVsStable: return RelativeValueTest(goal.margin, goal.sigma, goal.better, restarts);
    case TestKind::kRatioVsStable: return RelativeRatioTest(goal.tolerance, goal.better, restarts);
    case TestKind::kLatencyVsStable:
      return RelativeLatencyTest(goal.tolerance, goal.slack_seconds, restarts, kAgainst, log_limit);
    case TestKind::kPairedRate: return PairedRateTest(goal.tolerance, restarts, kAgainst, log_limit);
    case TestKind::kPairedMean: return PairedMeanTest(goal.margin, restarts);
    case TestKind::kRateVsStable:
      // What is seldom decides: the hits. "At least 1/t times stable's" is refuted by too few of them.
      if (spec.signal.kind == Kind::kConversion) return RelativeRateTest(1 / goal.tolerance, restarts, Direction::kFor);
      return RelativeRateTest(goal.tolerance, restarts, kAgainst, log_limit);
    case TestKind::kAutomatic:
    case TestKind::kRate: break;
  }
  if (is_attributed(spec.signal.kind)) return UnsettledRateTest(allowed_bad(spec), restarts);
  return AbsoluteRateTest(allowed_bad(spec), restarts, kAgainst, log_limit);
}

}  // namespace

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

Trial::Trial(const GuardrailSpec& spec, const RestartPlan& restarts, double log_limit)
    : test(make_test(spec, restarts, log_limit)) {
  if (spec.covariate.given()) cuped.emplace();
}

bool Trial::observe_hit(const Measurement& m, bool hit, bool few_for) {
  double pi = m.assignment_probability;
  if (m.cluster != 0) {
    if (clusters_.contains(m.cluster)) return false;
    // Never in favour of what is to be shown: for versions that are alike the draw's chance is exact.
    const double at_risk = at_risk_.share(pi);
    if (pi > 0 && pi < 1) pi = few_for ? std::min(pi, at_risk) : std::max(pi, at_risk);
    at_risk_.count(m.candidate);
  }
  if (!hit || !clusters_.insert(m.cluster)) return false;
  std::get<RelativeRateTest>(test).observe_bad(m.candidate, pi);
  return true;
}

// Also what stable does may add to the evidence of these.
bool Trial::observe_value(const GuardrailSpec& spec, const Measurement& m) {
  const bool bets = clusters_.insert(m.cluster);
  if (auto* latency = std::get_if<RelativeLatencyTest>(&test)) {
    latency->observe(m.candidate, m.assignment_probability, m.value, bets);
    return m.candidate;
  }
  if (!bets) return false;
  if (auto* mean = std::get_if<RelativeMeanTest>(&test)) {
    observe_loss(cuped, m, loss(spec, m.value), m.candidate, *mean);
    return true;
  }
  // No number stands for a missing value that may be of any size.
  if (!std::isfinite(m.value) || !std::isfinite(m.second)) return false;
  if (auto* values = std::get_if<RelativeValueTest>(&test)) {
    if (const auto value = adjusted_value(cuped, m)) values->observe(m.candidate, *value);
  } else {
    std::get<RelativeRatioTest>(test).observe(m.candidate, m.value, m.second);
  }
  return true;
}

double Trial::log_e() const {
  return std::visit([](const auto& one) { return one.log_e(); }, test);
}

void Trial::restart() {
  std::visit([](auto& one) { one.restart(); }, test);
}

void Trial::set_limit(double log_limit) {
  if (auto* rate = std::get_if<RelativeRateTest>(&test)) rate->set_limit(log_limit);
  if (auto* latency = std::get_if<RelativeLatencyTest>(&test)) latency->set_limit(log_limit);
}

// Who is whose was drawn once, so a later trial is an e-process by itself and not given what the trials before it told
// of that draw: their sum is bounded by how often any of them alone gets there, which is at most sum_k alpha rho w_k,
// and not by one stop of all. docs/statistics.md has what that comes to (regular users). A trial allocates once, when
// the first sticky user bets in it.
void Renewals::begin(const GuardrailSpec& spec, Trial& first, double log_limit) {
  log_part_ = std::log(kPart) + first.log_e();
  log_ended_ = -kNoLimit;
  first.set_limit(log_limit - std::log1p(-kPart));
  start(spec, log_limit);
}

void Renewals::renew(const GuardrailSpec& spec, double log_limit) {
  log_ended_ = log_add(log_ended_, log_weight() + newest_->log_e());
  start(spec, log_limit);
}

void Renewals::start(const GuardrailSpec& spec, double log_limit) {
  ++begun_;
  // It alone reaches the limit when it is that far above it.
  newest_.emplace(spec, RestartPlan{}, log_limit - log_part_ - log_weight());
}

double Renewals::log_weight() const {
  const auto k = static_cast<double>(begun_);
  return -std::log(k * (k + 1));
}

double Renewals::log_e(double first) const {
  if (!on()) return first;
  const double unspent = -std::log(static_cast<double>(begun_) + 1);
  const double later = log_add(log_add(log_ended_, log_weight() + newest_->log_e()), unspent);
  return log_add(std::log1p(-kPart) + first, log_part_ + later);
}

}  // namespace backstay::guardrails
