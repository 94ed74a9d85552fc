#include "domain/guardrails/rate_tests.hpp"

#include <cmath>

namespace backstay::guardrails {

namespace {
constexpr std::array<double, 6> kAbsoluteOdds{1.25, 1.5, 2, 3, 5, 10};
constexpr std::array<double, 7> kRelativeRates{1.25, 1.5, 2, 3, 5, 10, 20};
}  // namespace

AbsoluteRateTest::AbsoluteRateTest(double p0, const RestartPlan& restarts, Direction direction) : capitals_(restarts) {
  for (std::size_t j = 0; j < kGrid; ++j) {
    const double ratio = direction == Direction::kAgainst ? kAbsoluteOdds[j] : 1 / kAbsoluteOdds[j];
    const double odds = ratio * p0 / (1 - p0);
    const double q = odds / (1 + odds);
    bad_step_[j] = std::log(q / p0);
    good_step_[j] = std::log((1 - q) / (1 - p0));
  }
}

Capitals<AbsoluteRateTest::kGrid> AbsoluteRateTest::capitals_now() const {
  Capitals<kGrid> now = capitals_;
  for (std::size_t j = 0; j < kGrid; ++j)
    now.multiply(j, static_cast<double>(bad_) * bad_step_[j] + static_cast<double>(good_) * good_step_[j]);
  return now;
}

void AbsoluteRateTest::restart() {
  capitals_ = capitals_now();
  capitals_.restart();
  settled_bad_ += bad_;
  settled_good_ += good_;
  bad_ = good_ = 0;
}

void RelativeRateTest::observe_bad(bool candidate, double pi) {
  static const std::array<double, kGrid> log_rates = [] {
    std::array<double, kGrid> out{};
    for (std::size_t j = 0; j < kGrid; ++j) out[j] = std::log(kRelativeRates[j]);
    return out;
  }();
  if (!(pi > 0 && pi < 1)) return;
  const bool against = direction_ == Direction::kAgainst;
  if (pi != pi_) {
    pi_ = pi;
    const double null_pi = tolerance_ * pi / (tolerance_ * pi + 1 - pi);
    for (std::size_t j = 0; j < kGrid; ++j)
      price_[j] = std::log(null_pi * (against ? kRelativeRates[j] : 1 / kRelativeRates[j]) + 1 - null_pi);
  }
  const double sign = against ? 1.0 : -1.0;
  for (std::size_t j = 0; j < kGrid; ++j) capitals_.multiply(j, (candidate ? sign * log_rates[j] : 0.0) - price_[j]);
}

}  // namespace backstay::guardrails
