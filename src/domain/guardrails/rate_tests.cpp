#include "domain/guardrails/rate_tests.hpp"

#include <algorithm>
#include <cmath>

namespace backstay::guardrails {

namespace {

/// ln of what a bet on odds that are `ratio` times those of p0 pays for a bad and for a good outcome.
struct Steps {
  double bad, good;
};
Steps steps_of(double p0, double ratio, Direction direction) {
  const double odds = (direction == Direction::kAgainst ? ratio : 1 / ratio) * p0 / (1 - p0);
  const double q = odds / (1 + odds);
  return {std::log(q / p0), std::log((1 - q) / (1 - p0))};
}

}  // namespace

AbsoluteRateTest::AbsoluteRateTest(double p0, const RestartPlan& restarts, Direction direction, double log_limit)
    : capitals_(restarts, kBetShares), log_limit_(direction == Direction::kAgainst ? log_limit : kNoLimit) {
  for (std::size_t j = 0; j < kGrid; ++j) {
    const Steps steps = steps_of(p0, kBetRatios[j], direction);
    bad_step_[j] = steps.bad;
    good_step_[j] = steps.good;
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
  if (log_limit_ < kNoLimit) look_ahead();
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

UnsettledRateTest::UnsettledRateTest(double p0, const RestartPlan& plan, Direction direction) : restarts_(plan) {
  double sum = 0;
  for (const double share : kBetShares) sum += share;
  for (std::size_t j = 0; j < kGrid; ++j) {
    const Steps steps = steps_of(p0, kBetRatios[j], direction);
    const bool against = direction == Direction::kAgainst;
    usual_step_[j] = against ? steps.good : steps.bad;
    surprise_step_[j] = against ? steps.bad : steps.good;
    log_shares_[j] = std::log(kBetShares[j] / sum);
  }
  settled_.fill(-std::numeric_limits<double>::infinity());
  epochs_.push_back({std::log(restarts() ? restarts_.first : 1.0)});
}

void UnsettledRateTest::open() {
  ++epochs_.back().answers;
  ++epochs_.back().open;
}

void UnsettledRateTest::settle(std::uint64_t number, bool surprise) {
  const std::uint64_t epoch = restarts() ? number / restarts_.every : 0;
  if (epoch < gone_ || epoch - gone_ >= epochs_.size()) return;
  Epoch& mine = epochs_[epoch - gone_];
  --mine.open;
  if (surprise) {
    ++mine.surprises;
    mine.reach = std::max(mine.reach, number - (restarts() ? epoch * restarts_.every : 0) + 1);
  }
  if (mine.open == 0) forget_settled();
}

void UnsettledRateTest::restart() {
  if (!restarts()) return;
  const auto m = static_cast<double>(gone_ + epochs_.size());
  epochs_.push_back({std::log((1 - restarts_.first) / (m * (m + 1)))});
  forget_settled();
}

double UnsettledRateTest::log_factor(const Epoch& epoch, std::uint64_t answers, std::size_t j) const {
  return static_cast<double>(answers - epoch.surprises) * usual_step_[j] +
         static_cast<double>(epoch.surprises) * surprise_step_[j];
}

void UnsettledRateTest::begin(const Epoch& epoch, Grid& logs) const {
  for (std::size_t j = 0; j < kGrid; ++j) logs[j] = log_add(logs[j], epoch.log_weight + log_shares_[j]);
}

void UnsettledRateTest::multiply(const Epoch& epoch, std::uint64_t answers, Grid& logs) const {
  for (std::size_t j = 0; j < kGrid; ++j) logs[j] += log_factor(epoch, answers, j);
}

double UnsettledRateTest::log_sum(const Grid& logs, std::uint64_t begun) const {
  const double spent = log_sum_exp(logs.data(), kGrid);
  if (!restarts()) return spent;
  return log_add(spent, std::log((1 - restarts_.first) / static_cast<double>(begun)));
}

double UnsettledRateTest::log_e_at_reach(const Epoch& epoch, Grid logs, std::uint64_t begun) const {
  multiply(epoch, epoch.reach, logs);
  return log_sum(logs, begun);
}

/// An epoch in which nothing is open changes no more.
void UnsettledRateTest::forget_settled() {
  std::size_t settled = 0;
  while (settled + 1 < epochs_.size() && epochs_[settled].open == 0) {
    const Epoch& epoch = epochs_[settled++];
    begin(epoch, settled_);
    ++gone_;
    if (epoch.surprises > 0) most_ = std::max(most_, log_e_at_reach(epoch, settled_, gone_));
    multiply(epoch, epoch.answers, settled_);
  }
  epochs_.erase(epochs_.begin(), epochs_.begin() + static_cast<std::ptrdiff_t>(settled));
}

double UnsettledRateTest::log_e_of_all() const {
  Grid logs = settled_;
  for (const Epoch& epoch : epochs_) {
    begin(epoch, logs);
    multiply(epoch, epoch.answers, logs);
  }
  return log_sum(logs, gone_ + epochs_.size());
}

// What comes after an epoch's last surprise only takes away: the best n ends with one, or there is none.
double UnsettledRateTest::log_e() const {
  double most = most_;
  Grid logs = settled_;
  std::uint64_t begun = gone_;
  for (const Epoch& epoch : epochs_) {
    begin(epoch, logs);
    ++begun;
    if (epoch.surprises > 0) most = std::max(most, log_e_at_reach(epoch, logs, begun));
    multiply(epoch, epoch.answers, logs);
  }
  return most;
}

// A sum is at most its greatest part times their number; the reserve's part is at most 1.
bool UnsettledRateTest::could_be(double limit) const {
  const double parts = std::log(static_cast<double>((epochs_.size() + 1) * kGrid + 1));
  if (most_ >= limit || parts >= limit) return true;
  for (std::size_t j = 0; j < kGrid; ++j) {
    double greatest = settled_[j];
    for (const Epoch& epoch : epochs_) {
      greatest = std::max(greatest, epoch.log_weight + log_shares_[j]);
      if (epoch.surprises > 0 && greatest + log_factor(epoch, epoch.reach, j) + parts >= limit) return true;
      greatest += log_factor(epoch, epoch.answers, j);
    }
  }
  return false;
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
