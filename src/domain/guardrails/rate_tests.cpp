#include "domain/guardrails/rate_tests.hpp"

#include <algorithm>
#include <cmath>

namespace backstay::guardrails {

namespace {
constexpr std::array<double, 6> kAbsoluteOdds{1.25, 1.5, 2, 3, 5, 10};
constexpr std::array<double, 7> kRelativeRates{1.25, 1.5, 2, 3, 5, 10, 20};
}  // namespace

double log_mean_exp(const double* values, std::size_t count) {
  const double greatest = *std::max_element(values, values + count);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::exp(values[i] - greatest);
  return greatest + std::log(sum / static_cast<double>(count));
}

AbsoluteRateTest::AbsoluteRateTest(double p0) {
  for (std::size_t j = 0; j < kGrid; ++j) {
    const double odds = kAbsoluteOdds[j] * p0 / (1 - p0);
    const double q = odds / (1 + odds);
    bad_step_[j] = std::log(q / p0);
    good_step_[j] = std::log((1 - q) / (1 - p0));
  }
}

double AbsoluteRateTest::log_e() const {
  std::array<double, kGrid> logs{};
  for (std::size_t j = 0; j < kGrid; ++j)
    logs[j] = static_cast<double>(bad_) * bad_step_[j] + static_cast<double>(good_) * good_step_[j];
  return log_mean_exp(logs.data(), logs.size());
}

void RelativeRateTest::observe_bad(bool candidate, double pi) {
  if (!(pi > 0 && pi < 1)) return;
  const double null_pi = tolerance_ * pi / (tolerance_ * pi + 1 - pi);
  for (std::size_t j = 0; j < logs_.size(); ++j) {
    logs_[j] += (candidate ? std::log(kRelativeRates[j]) : 0.0) - std::log(null_pi * kRelativeRates[j] + 1 - null_pi);
  }
}

void BoundedMeanTest::observe(double score) {
  const double x = 1.0 - std::clamp(score, 0.0, 1.0);
  const auto n = static_cast<double>(count_);
  const double mean = (0.5 + sum_) / (n + 1);
  const double variance = (0.25 + squares_) / (n + 1);
  const double edge = mean - limit_;
  const double bet = std::clamp(edge / (variance + edge * edge), 0.0, 0.5 / limit_);
  log_capital_ += std::log1p(bet * (x - limit_));
  squares_ += (x - mean) * (x - mean);
  sum_ += x;
  ++count_;
}

}  // namespace backstay::guardrails
