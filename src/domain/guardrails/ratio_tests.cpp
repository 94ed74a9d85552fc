#include "domain/guardrails/ratio_tests.hpp"

#include <algorithm>
#include <cmath>

namespace backstay::guardrails {

namespace {

constexpr double kTrusted = 30;  ///< Outcomes of the candidate from which on its own variance counts.

// Of the arm that varies more: the test may be slow, it may not be wrong.
double deviation(const Moments& candidate, const Moments& stable) {
  const double own = candidate.count() >= kTrusted ? candidate.variance() : 0.0;
  return std::sqrt(std::max(own, stable.variance()));
}

}  // namespace

double Cuped::theta() const {
  const double variance = x_.variance() * (x_.count() - 1);
  return variance > 0 ? co_ / variance : 0.0;
}

double Cuped::adjust(bool candidate, double y, double x) {
  const double adjusted = y - theta() * (x - x_.mean());
  if (!candidate) {
    const double before = x - x_.mean();
    x_.add(x);
    mean_y_ += (y - mean_y_) / x_.count();
    co_ += before * (y - mean_y_);
  }
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
