#include "domain/guardrails/latency.hpp"

#include <algorithm>
#include <cmath>

namespace backstay::guardrails {

namespace {
constexpr double kSmallest = 1e-6;
const double kLogGamma = std::log(1.01 / 0.99);
}  // namespace

void LatencySketch::add(double seconds) {
  const double bin = std::ceil(std::log(std::max(seconds, kSmallest) / kSmallest) / kLogGamma);
  ++bins_[std::min(static_cast<std::size_t>(bin), kBins - 1)];
  ++count_;
}

double LatencySketch::quantile(double q) const {
  if (count_ == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(q * static_cast<double>(count_ - 1));
  std::uint64_t seen = 0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    seen += bins_[bin];
    if (seen > rank) {
      const double upper = kSmallest * std::exp(static_cast<double>(bin) * kLogGamma);
      return 2 * upper / (std::exp(kLogGamma) + 1);  // The point that is at most 1% from either edge of the bin.
    }
  }
  return kSmallest * std::exp(static_cast<double>(kBins) * kLogGamma);
}

void RelativeLatencyTest::observe(bool candidate, double pi, double seconds, bool bets) {
  if (bets && stable_.count() >= kWarmUp) {
    for (std::size_t i = 0; i < kQuantiles.size(); ++i)
      if (seconds > thresholds_[i]) tests_[i].observe_bad(candidate, pi);
  }
  if (candidate) return;
  stable_.add(seconds);
  if (stable_.count() == kWarmUp || (stable_.count() > kWarmUp && stable_.count() % kRefresh == 0)) {
    for (std::size_t i = 0; i < kQuantiles.size(); ++i)
      thresholds_[i] = stable_.quantile(kQuantiles[i]) + slack_seconds_;
  }
}

double RelativeLatencyTest::log_e() const {
  const std::array<double, 3> logs{tests_[0].log_e(), tests_[1].log_e(), tests_[2].log_e()};
  if (direction_ == Direction::kFor) return *std::min_element(logs.begin(), logs.end());
  return log_mean_exp(logs.data(), logs.size());
}

}  // namespace backstay::guardrails
