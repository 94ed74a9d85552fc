#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "domain/drift/column_profile.hpp"

/// Live data as a mixture of slices, and what a version that was measured on each slice can then be expected to do.
namespace backstay::drift {

/// Which shares of the slices look most like the live data. Over the bins of every column, with p_s the shares in slice
/// s and q the live ones, the weights maximise
///
///     sum over columns and bins of q ln(sum_s w_s p_s),   w_s >= 0, sum w_s = 1
///
/// by expectation maximisation: importance weighting of whole slices (a composite likelihood, since only the columns'
/// own distributions are known). It sees what the columns show and nothing else: a change of P(label | features)
/// without a change of the features is invisible to it.
struct Mixture {
  std::vector<double> weights;  ///< Per slice.
  /// Mean over columns of the Jensen-Shannon distance between the live data and the mixture, less what chance alone
  /// makes of it: how much of the live data no mixture explains.
  double unexplained = 0;
  std::size_t columns = 0;  ///< That were compared; 0: nothing is known.
  /// Weights for resampled live data, for intervals.
  std::vector<std::vector<double>> resampled;
};

/// `slices` are not empty. `resamples`: how many times the live data is drawn anew (multinomially per column, with the
/// rows divided by the number of columns, since columns of one row depend on each other).
Mixture fit_mixture(const std::vector<const Profile*>& slices, const Profile& live, std::size_t resamples,
                    std::uint64_t seed, const std::set<std::string>& ignored = {});

}  // namespace backstay::drift
