#include "domain/guardrails/mean_tests.hpp"

namespace backstay::guardrails {

namespace {
constexpr std::array<double, 5> kFractions{.05, .1, .2, .4, .8};
constexpr double kLargestProduct = 1e100;
}  // namespace

void BoundedMeanTest::observe(double score) {
  const double x = 1.0 - std::clamp(score, 0.0, 1.0);
  const double share = 1 / (remembered_ + 1);
  const double mean = (0.5 + sum_) * share;
  const double variance = (0.25 + squares_) * share;
  const double edge = mean - limit_;
  if (edge > 0) {
    const double bet = std::min(edge / (variance + edge * edge), 0.5 / limit_);
    product_ *= 1 + bet * (x - limit_);
    if (product_ > kLargestProduct || product_ < 1 / kLargestProduct) {
      capital_.multiply(0, std::log(product_));
      product_ = 1;
    }
  }
  squares_ += (x - mean) * (x - mean);
  sum_ += x;
  remembered_ += 1;
  total_ += x;
  ++count_;
}

void BoundedMeanTest::restart() {
  capital_.multiply(0, std::log(product_));
  product_ = 1;
  capital_.restart();
  remembered_ /= 2;
  sum_ /= 2;
  squares_ /= 2;
}

double BoundedMeanTest::log_e() const {
  Capitals<1> now = capital_;
  now.multiply(0, std::log(product_));
  return now.log_e();
}

void RelativeMeanTest::observe(bool candidate, double pi, double loss, double shift) {
  if (!(pi > 0 && pi < 1)) return;
  const double y = std::clamp(loss, 0.0, 1.0);
  const double center = std::clamp((0.5 + sum_) / (count_ + 1) + shift, 0.0, 1.0);
  const double worst = std::max(center / pi, (1 - center) / (1 - pi)) + margin_;
  const double z = (y - center) * (candidate ? 1 / pi : -1 / (1 - pi)) - margin_;
  for (std::size_t j = 0; j < kFractions.size(); ++j) capitals_.multiply(j, std::log1p(kFractions[j] * z / worst));
  sum_ += y;
  count_ += 1;
}

void PairedMeanTest::observe(double candidate_loss, double stable_loss) {
  const double z = std::clamp(candidate_loss, 0.0, 1.0) - std::clamp(stable_loss, 0.0, 1.0) - margin_;
  for (std::size_t j = 0; j < kFractions.size(); ++j)
    capitals_.multiply(j, std::log1p(kFractions[j] * z / (1 + margin_)));
}

void FiniteVarianceTest::observe(const Neighbours::Difference& difference, double sigma) {
  const double d = difference.value / sigma;
  const double h = difference.scale;
  for (std::size_t j = 0; j < kFractions.size(); ++j) {
    const double lambda = kFractions[j] / h;
    capitals_.multiply(j, lambda * d - lambda * lambda * (d * d + 2 * h) / 6);
  }
}

double log_normal_mixture(double s, double v, double rho) {
  const double total = v + rho;
  return std::log(2.0) + 0.5 * std::log(rho / total) + s * s / (2 * total) +
         std::log(0.5 * std::erfc(-s / std::sqrt(2 * total)));
}

double best_rho(double v_opt, double alpha) {
  // The one-sided mixture is all but the two-sided one at twice alpha.
  const double log_odds = std::log(1 / (2 * alpha));
  return v_opt / (2 * log_odds + std::log(1 + 2 * log_odds));
}

}  // namespace backstay::guardrails
