#pragma once

#include <set>
#include <string>
#include <vector>

#include "domain/drift/comparison.hpp"
#include "domain/drift/distances.hpp"

namespace backstay::drift {

/// Whether two independent samples have the same correlation: Fisher's z (1921), two-sided; `n` and `m` above 3. The
/// statistic's variance is multiplied with `dispersion`.
TestResult correlation_test(double r_a, double n, double r_b, double m, double dispersion = 1);

/// How much more the correlation varies among blocks of rows than Fisher's variance says, both sides pooled; at least
/// 1, and 1 while there are too few blocks to tell. Fisher's variance is that of a normal distribution: without this,
/// heavy tails and rows that depend on each other would be findings.
double dispersion_of(const PairMoments& a, const PairMoments& b);

/// Columns of a profile's pairs in which single rows weigh so much that correlations with them tell of these rows:
/// whose number furthest from the mean has a larger part of the sum of squares than normal rows, or even exponential
/// ones, have. Such a row is in one block only, so dispersion_of() can't show it.
std::set<std::string> heavy_tailed(const Profile& profile);

/// Pairs that both profiles know with at least kLeastPairRows rows; not yet adjusted for how many they are: `drifted`
/// says that the difference is one that matters.
std::vector<PairDrift> compare_pairs(const PairProfile& training, const PairProfile& live, const Thresholds& limits,
                                     const std::set<std::string>& ignored);
constexpr std::uint64_t kLeastPairRows = 10;

}  // namespace backstay::drift
