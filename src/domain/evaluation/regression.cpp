#include <algorithm>
#include <cmath>
#include <limits>

#include "domain/evaluation/measures.hpp"

namespace backstay::evaluation {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double share_of_rows(const Predictions& p, double confidence) {
  return unseen_share(p.rows(), confidence);
}

double mean_target(const Predictions& p) {
  double mean = 0;
  for (const double target : p.target) mean += target / static_cast<double>(p.rows());
  return mean;
}

/// A mean of `error(target, value)` over rows. Errors have no bound, so of rows that were not seen it is taken that
/// they are predicted no worse than by the mean target: a model that knows nothing.
template <class Error>
Measure mean_of_errors(const char* name, const Error& error) {
  Measure measure{name, Measure::Kind::kMean};
  measure.within = Interval{0, kInfinity};
  measure.units = [error](const Predictions& p) {
    std::vector<double> out(p.rows());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = error(p.target[i], p.value[i]);
    return out;
  };
  measure.unseen_range = [error](const Predictions& p) {
    const double mean = mean_target(p);
    double sum = 0;
    for (const double target : p.target) sum += std::abs(error(target, mean));
    return Interval{0, sum / static_cast<double>(p.rows())};
  };
  measure.unseen_rows = share_of_rows;
  return measure;
}

double squared(double target, double value) {
  return (value - target) * (value - target);
}

/// 1 - residual sum of squares / total sum of squares. NaN for fewer than two rows. Of targets that are all alike, as
/// in scikit-learn: 1 when every prediction is right, else 0.
double r2(const Predictions& p) {
  if (p.rows() < 2) return std::numeric_limits<double>::quiet_NaN();
  const bool alike = std::equal(p.target.begin() + 1, p.target.end(), p.target.begin());
  if (alike) return p.value == p.target ? 1 : 0;
  const double mean = mean_target(p);
  double residual = 0;
  double total = 0;
  for (std::size_t i = 0; i < p.rows(); ++i) {
    residual += squared(p.target[i], p.value[i]);
    total += squared(mean, p.target[i]);
  }
  return 1 - residual / total;
}

}  // namespace

std::vector<Measure> regression_measures() {
  std::vector<Measure> all;
  all.push_back(mean_of_errors("mean_absolute_error", [](double t, double v) { return std::abs(v - t); }));
  all.push_back(mean_of_errors("mean_squared_error", squared));
  Measure signed_error = mean_of_errors("mean_error", [](double t, double v) { return v - t; });
  signed_error.within.reset();
  signed_error.unseen_range = [size = signed_error.unseen_range](const Predictions& p) {
    const double most = size(p).upper;
    return Interval{-most, most};
  };
  all.push_back(std::move(signed_error));
  all.push_back(mean_of_errors("mean_absolute_percentage_error", [](double t, double v) {
    return std::abs(v - t) / std::max(std::abs(t), std::numeric_limits<double>::epsilon());
  }));
  Measure root{"root_mean_squared_error", Measure::Kind::kStatistic};
  const Measure mse = all[1];
  root.value = [mse](const Predictions& p) { return std::sqrt(value_of(mse, p)); };
  root.within = Interval{0, kInfinity};
  root.unseen_range = [mse](const Predictions& p) { return Interval{0, std::sqrt(mse.unseen_range(p).upper)}; };
  root.unseen_rows = share_of_rows;
  root.limits = [mse](const Predictions& p, double confidence) -> Interval {
    const Interval limits = with_unseen(value_of(mse, p), student_mean(mse.units(p), confidence), mse.unseen_range(p),
                                        share_of_rows(p, confidence));
    return {std::sqrt(std::max(0.0, limits.lower)), std::sqrt(limits.upper)};
  };
  all.push_back(std::move(root));
  Measure explained{"r2", Measure::Kind::kStatistic};
  explained.value = r2;
  explained.within = Interval{-kInfinity, 1};
  explained.unseen_range = [](const Predictions&) { return Interval{0, 1}; };
  explained.unseen_rows = share_of_rows;
  all.push_back(std::move(explained));
  return all;
}

}  // namespace backstay::evaluation
