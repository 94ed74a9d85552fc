#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace backstay::registry {

/// How a metric's value on data that is a mixture of groups follows from its values on the groups.
enum class Pooling : std::uint8_t {
  kMean,        ///< Their mean, weighted by rows: accuracy, log_loss, brier_score, mean_squared_error.
  kRootOfMean,  ///< The root of the mean of their squares: root_mean_squared_error.
  kNone,        ///< It does not: r2, roc_auc, precision, f1, quantiles, differences among groups.
};

/// By the metric's name. Of rankings (ndcg_at_10, mean_reciprocal_rank), which are means over queries, kMean; of a name
/// that is not known kMean too, for most that people define for themselves are means over rows.
Pooling pooling_of(const std::string& name);

/// The same; kInvalidArgument in place of kNone.
Result<Pooling> pooling_for_mixtures(const std::string& name);

}  // namespace backstay::registry
