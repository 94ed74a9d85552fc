#include "domain/guardrails/ratio_tests.hpp"

#include <algorithm>
#include <cmath>

namespace backstay::guardrails {

namespace {

constexpr double kTrusted = 30;  ///< Outcomes of the candidate from which on its own variance counts.

// Of the arm that varies more: the test may be slow, it may not be wrong. Where nothing varies in either, lists of a
// fixed length, say, what the two are apart so far is all the spread there is; 0: they are the same.
double deviation(const Moments& candidate, const Moments& stable) {
  const double own = candidate.count() >= kTrusted ? candidate.variance() : 0.0;
  const double variance = std::max(own, stable.variance());
  if (variance > 0) return std::sqrt(variance);
  return candidate.count() > 0 ? std::abs(candidate.mean() - stable.mean()) : 0.0;
}

}  // namespace

double Cuped::theta() const {
  const double squares = x_.variance() * (x_.count() - 1);
  return squares > 0 ? co_ / squares : 0.0;
}

double Cuped::explained() const {
  const double squares = x_.variance() * y_.variance() * (x_.count() - 1) * (x_.count() - 1);
  return squares > 0 ? std::min(co_ * co_ / squares, 1.0) : 0.0;
}

double Cuped::within_reach(double x) const {
  const double reach = kReach * std::sqrt(x_.variance());
  return x_.count() >= kTrusted && reach > 0 ? std::clamp(x, x_.mean() - reach, x_.mean() + reach) : x;
}

double Cuped::shift(double x) const {
  return std::isfinite(x) && x_.count() >= kTrusted ? theta() * (within_reach(x) - x_.mean()) : 0.0;
}

void Cuped::learn(double y, double x) {
  seen_ += 1;
  if (!std::isfinite(y) || !std::isfinite(x)) return;
  const double reached = within_reach(x);
  const double before = reached - x_.mean();
  x_.add(reached);
  y_.add(y);
  co_ += before * (y - y_.mean());
}

double Cuped::adjust(bool candidate, double y, double x) {
  const double adjusted = y - shift(x);
  if (!candidate) learn(y, x);
  return adjusted;
}

void RelativeRatioTest::observe(bool candidate, double y, double x) {
  if (stable_n_ >= kWarmUp) {
    const double ratio = ratio_of_stable();
    const bool lower = better_ == Better::kLower;
    double z = y - ratio * x;
    if (candidate) z = lower ? y / tolerance_ - ratio * x : y * tolerance_ - ratio * x;
    if (!lower) z = -z;
    const double sigma = deviation(candidate_, stable_);
    const auto difference = neighbours_.add(candidate, z);
    if (difference && stable_.count() >= kTrusted && sigma > 0) test_.observe(*difference, sigma);
    (candidate ? candidate_ : stable_).add(z);
  }
  if (candidate) return;
  sum_y_ += y;
  sum_x_ += x;
  stable_n_ += 1;
}

void RelativeValueTest::observe(bool candidate, double value) {
  const double z = sign_ * value - (candidate ? margin_ : 0.0);
  const double sigma = sigma_ > 0 ? sigma_ : deviation(candidate_, stable_);
  const bool trusted = sigma_ > 0 || stable_.count() >= RelativeRatioTest::kWarmUp;
  const auto difference = neighbours_.add(candidate, z);
  if (difference && trusted && sigma > 0) test_.observe(*difference, sigma);
  if (sigma_ <= 0) (candidate ? candidate_ : stable_).add(z);
}

}  // namespace backstay::guardrails
