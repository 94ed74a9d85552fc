#include "domain/guardrails/claim.hpp"

#include <cmath>

namespace backstay::guardrails {

Claim::Test Claim::make_test(const GuardrailSpec& spec) {
  const Objective& goal = spec.objective;
  switch (chosen_test(spec)) {
    case TestKind::kMean: return BoundedMeanTest(1 - goal.bound);
    case TestKind::kMeanVsStable: return RelativeMeanTest(-goal.margin);
    case TestKind::kValueVsStable: return RelativeValueTest(-goal.margin, goal.sigma, goal.better);
    case TestKind::kRatioVsStable: return RelativeRatioTest(1 / goal.tolerance, goal.better);
    case TestKind::kLatencyVsStable:
      return RelativeLatencyTest(goal.tolerance, goal.slack_seconds, {}, Direction::kFor);
    case TestKind::kPairedRate: return PairedRateTest(goal.tolerance, {}, Direction::kFor);
    case TestKind::kPairedMean: return PairedMeanTest(-goal.margin);
    case TestKind::kRateVsStable:
      if (spec.signal.kind == Signal::Kind::kConversion) return RelativeRateTest(1 / goal.tolerance);
      return RelativeRateTest(goal.tolerance, {}, Direction::kFor);
    case TestKind::kAutomatic:
    case TestKind::kRate: break;
  }
  if (is_attributed(spec.signal.kind)) return UnsettledRateTest(allowed_bad(spec), {}, Direction::kFor);
  return AbsoluteRateTest(allowed_bad(spec), {}, Direction::kFor);
}

Claim::Claim(GuardrailSpec spec, double alpha)
    : spec_(std::move(spec)), kind_(chosen_test(spec_)), log_limit_(-std::log(alpha)), test_(make_test(spec_)) {
  if (spec_.covariate.given()) cuped_.emplace();
}

/// What is not settled yet speaks against the claim.
void Claim::observe_attributed(const Measurement& m, UnsettledRateTest& test) {
  if (!m.candidate) return;
  if (m.stage == Measurement::Stage::kOpened) {
    ++candidate_n_;
    test.open();
  } else {
    test.settle(m.number, m.stage == Measurement::Stage::kSettled && !is_bad(spec_, m.value));
  }
}

void Claim::observe(const Measurement& m) {
  if (auto* unsettled = std::get_if<UnsettledRateTest>(&test_)) return observe_attributed(m, *unsettled);
  if (m.stage != Measurement::Stage::kSettled) return;
  if (m.candidate) ++candidate_n_;
  switch (kind_) {
    case TestKind::kAutomatic:
    case TestKind::kRate:
      if (m.candidate) std::get<AbsoluteRateTest>(test_).observe(is_bad(spec_, m.value));
      break;
    case TestKind::kRateVsStable:
      // Of conversions the hits are the rare ones.
      if (first_of_user(m) && is_bad(spec_, m.value) != (spec_.signal.kind == Signal::Kind::kConversion))
        std::get<RelativeRateTest>(test_).observe_bad(m.candidate, m.assignment_probability);
      break;
    case TestKind::kPairedRate:
      std::get<PairedRateTest>(test_).observe(is_bad(spec_, m.value), is_bad(spec_, m.second));
      break;
    case TestKind::kPairedMean:
      std::get<PairedMeanTest>(test_).observe(loss(spec_, m.second), loss(spec_, m.value));
      break;
    case TestKind::kMean:
      // A missing score is as bad as can be, so it is no evidence that all is well.
      if (m.candidate) std::get<BoundedMeanTest>(test_).observe(std::isnan(m.value) ? 1.0 : 1 - m.value);
      break;
    default: observe_value(m); break;
  }
}

bool Claim::first_of_user(const Measurement& m) {
  return !m.repeated && clusters_.insert(m.cluster);
}

/// Against stable, the arms exchanged.
void Claim::observe_value(const Measurement& m) {
  const bool drawn = m.assignment_probability > 0 && m.assignment_probability < 1;
  const bool bets = drawn && first_of_user(m);
  if (kind_ == TestKind::kLatencyVsStable) {
    std::get<RelativeLatencyTest>(test_).observe(m.candidate, m.assignment_probability, m.value, bets);
    return;
  }
  if (!bets) return;
  if (kind_ == TestKind::kMeanVsStable) {
    observe_loss(cuped_, m, loss(spec_, m.value), !m.candidate, std::get<RelativeMeanTest>(test_));
    return;
  }
  if (!std::isfinite(m.value) || !std::isfinite(m.second)) return;
  if (kind_ == TestKind::kValueVsStable) {
    if (const auto value = adjusted_value(cuped_, m)) std::get<RelativeValueTest>(test_).observe(!m.candidate, *value);
  } else {
    std::get<RelativeRatioTest>(test_).observe(!m.candidate, m.value, m.second);
  }
}

double Claim::log_e() const {
  return std::visit([](const auto& test) { return test.log_e(); }, test_);
}

}  // namespace backstay::guardrails
