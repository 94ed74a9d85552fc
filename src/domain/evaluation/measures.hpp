#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "domain/evaluation/intervals.hpp"
#include "domain/evaluation/predictions.hpp"
#include "domain/registry/scorecard.hpp"

/// The metrics of an evaluation, each with its confidence limits.
namespace backstay::evaluation {

using OfDraws = std::function<double(const std::vector<std::uint32_t>& rows)>;

/// One metric as a function of predictions. What is a mean says what each unit (a row; in ranking a query) contributes,
/// so that two versions can be compared unit by unit. Figures are scikit-learn's of the same name.
struct Measure {
  enum class Kind : std::uint8_t {
    kRate,       ///< The mean of zeros and ones. Limits: Clopper and Pearson.
    kBounded,    ///< The mean of values in [0, `most`]. Limits: bounded_mean().
    kMean,       ///< The mean of any values. Limits: student_mean(), with_unseen().
    kStatistic,  ///< Anything else. Limits: `limits`, or bootstrap(), with_unseen().
  };
  std::string name;
  Kind kind = Kind::kRate;
  double most = 1;
  /// Of kMean and kStatistic: where it lies by its definition, with its limits. Of the others their kind tells.
  std::optional<Interval> within{};
  /// Of kMean and kStatistic without `limits`: where it may lie on rows that were not seen, and how large a share of
  /// all those may be. None: nothing is added for them.
  std::function<Interval(const Predictions&)> unseen_range{};
  std::function<double(const Predictions&, double confidence)> unseen_rows{};
  /// What each unit contributes; NaN: it does not count. Not for kStatistic.
  std::function<std::vector<double>(const Predictions&)> units{};
  /// For kStatistic; NaN where it is not defined.
  std::function<double(const Predictions&)> value{};
  std::function<Interval(const Predictions&, double confidence)> limits{};
  /// value() of rows drawn from these predictions, for many draws; none: of a copy of the rows. What it returns refers
  /// to them.
  std::function<OfDraws(const Predictions&)> of_draws{};
};

/// A measure of rows that are drawn, of one draw after the other. Must not outlive either. Not thread-safe.
OfDraws value_of_draws(const Measure& measure, const Predictions& predictions);

/// scikit-learn's: the distance from 1 to the next double.
inline constexpr double kClip = std::numeric_limits<double>::epsilon();

struct MeasureOptions {
  double confidence = 0.95;
  std::size_t bins = 10;                 ///< Of the calibration error.
  std::vector<std::size_t> cutoffs{10};  ///< k of ndcg_at_k and its like.
  double clip = kClip;                   ///< What log_loss takes for a probability of 0; 1 - clip for 1.
  bool resample = true;                  ///< False: without what needs bootstrap().
};

/// What can be measured of such predictions.
std::vector<Measure> measures_for(const Predictions& predictions, const MeasureOptions& options);

/// NaN where it is not defined: precision without a positive prediction, auc with one class. What lies in an interval
/// by its definition does so here, whatever rounding does.
double value_of(const Measure& measure, const Predictions& predictions);

/// With limits and the number of units it rests on; none: it is not defined.
std::optional<registry::Metric> measure_one(const Measure& measure, const Predictions& predictions, double confidence);

/// Every measure that is defined.
std::vector<registry::Metric> measure(const Predictions& predictions, const MeasureOptions& options);

/// Measures that are not defined for such predictions.
std::vector<std::string> undefined_measures(const Predictions& predictions, const MeasureOptions& options);

/// Rows that are resampled together: by class; one stratum for regression and ranking.
std::vector<std::vector<std::uint32_t>> strata_of(const Predictions& predictions);

std::vector<Measure> classification_measures(const Predictions& predictions, const MeasureOptions& options);
std::vector<Measure> regression_measures();
std::vector<Measure> ranking_measures(const MeasureOptions& options);

/// value, lower and upper of a metric that was measured; limits that are not finite are left out.
registry::Metric metric_of(const std::string& name, double value, std::uint64_t samples, const Interval& limits);

}  // namespace backstay::evaluation
