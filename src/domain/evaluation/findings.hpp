#pragma once

#include <functional>
#include <string>
#include <vector>

#include "domain/evaluation/comparison.hpp"
#include "domain/evaluation/fairness.hpp"
#include "domain/evaluation/suite.hpp"

/// The metrics of a scorecard, each from what a suite asked.
namespace backstay::evaluation {

MeasureOptions measure_options(const Suite& suite, const Set& set);

/// A part of what is to be measured of a set; parts may be measured at once, each by one thread.
struct MeasuredPart {
  std::string name;  ///< "log_loss of site=a", for people who wait for it.
  std::function<std::vector<registry::Metric>()> measure;
};

/// Of all rows, and of each group that is large enough; with `baseline` (may be null) also the changes from it, which
/// carry `baseline_name`. The metrics of a scorecard are those of all parts, in this order. Parts must not outlive the
/// predictions.
std::vector<MeasuredPart> quality_parts(const Predictions& predictions, const Predictions* baseline,
                                        const std::string& baseline_name, const MeasureOptions& options,
                                        std::size_t min_group);

/// Of every attribute; see measure_fairness().
std::vector<MeasuredPart> bias_parts(const Predictions& predictions, const FairnessOptions& options);

/// latency_p50_seconds, p95, p99 (where there are enough requests to enclose the quantile), the mean (of
/// gates::kFewestForLimits requests or more), and
/// throughput_rows_per_second. `seconds` sorted.
std::vector<registry::Metric> latency_metrics(const std::vector<double>& seconds, double rows_per_second,
                                              double confidence);

/// "robustness_<measure>" of the changed rows, and "robustness_<measure>_change" from the same rows unchanged, when
/// they were changed; the group is the test's name.
std::vector<registry::Metric> robustness_metrics(const Robustness& test, const Predictions& unchanged,
                                                 const Predictions& changed, const std::vector<std::uint32_t>& rows,
                                                 const MeasureOptions& options);

/// "behaviour_pass_rate": the share of rows for which the test holds; the group is the test's name. kInvalidArgument:
/// the test is about a score and the model gives none.
Result<registry::Metric> behaviour_metric(const Behaviour& test, const Predictions& unchanged,
                                          const Predictions& changed, double confidence);

/// "<test>_rate": the share of texts that the classifier scores at its threshold or above, of everyone and of each
/// group that is large enough.
std::vector<registry::Metric> safety_metrics(const Safety& test, const std::vector<double>& scores,
                                             const std::vector<Attribute>& attributes, std::size_t min_group,
                                             double confidence);

}  // namespace backstay::evaluation
