#include "domain/guardrails/rate_tests.hpp"

#include <cmath>

namespace backstay::guardrails {

AbsoluteRateTest::AbsoluteRateTest(double p0, const RestartPlan& restarts, Direction direction, double log_limit)
    : capitals_(restarts, kBetShares), log_limit_(direction == Direction::kAgainst ? log_limit : kNoLimit) {
  for (std::size_t j = 0; j < kGrid; ++j) {
    const double ratio = direction == Direction::kAgainst ? kBetRatios[j] : 1 / kBetRatios[j];
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

void AbsoluteRateTest::observe(std::uint64_t bad, std::uint64_t good) {
  if (log_limit_ < kNoLimit) {
    for (; bad > 0; --bad) observe(true);
    for (; good > 0; --good) observe(false);
  }
  bad_ += bad;
  good_ += good;
}

void AbsoluteRateTest::restart() {
  settle();
  capitals_.restart();
  look_ahead();
}

void AbsoluteRateTest::settle() {
  capitals_ = capitals_now();
  settled_bad_ += bad_;
  settled_good_ += good_;
  bad_ = good_ = 0;
}

/// Good outcomes take the capital away from the limit, so it is enough to look after bad ones and restarts.
void AbsoluteRateTest::look_ahead() {
  near_ = capitals_now().could_reach(bad_step_, log_limit_);
}

void AbsoluteRateTest::observe_near(bool bad) {
  settle();
  capitals_.bet(bad_step_, good_step_, bad, log_limit_);
  ++(bad ? settled_bad_ : settled_good_);
  look_ahead();
}

void RelativeRateTest::observe_bad(bool candidate, double pi) {
  if (!(pi > 0 && pi < 1)) return;
  const bool against = direction_ == Direction::kAgainst;
  if (pi != pi_) {
    pi_ = pi;
    const double null_pi = tolerance_ * pi / (tolerance_ * pi + 1 - pi);
    for (std::size_t j = 0; j < kGrid; ++j) {
      const double ratio = against ? kBetRatios[j] : 1 / kBetRatios[j];
      const double price = std::log(null_pi * ratio + 1 - null_pi);
      candidate_step_[j] = std::log(ratio) - price;
      stable_step_[j] = -price;
    }
  }
  if (against) {
    capitals_.bet(candidate_step_, stable_step_, candidate, log_limit_);
  } else {
    capitals_.bet(stable_step_, candidate_step_, !candidate, kNoLimit);
  }
}

}  // namespace backstay::guardrails
