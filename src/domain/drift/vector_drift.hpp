#pragma once

#include <optional>
#include <span>
#include <vector>

#include "domain/drift/distances.hpp"
#include "domain/drift/vector_profile.hpp"

/// How far the embeddings of two profiles are from each other, and how surprising that is.
/// tests/e2e/test_drift_statistics.py compares it with numpy and scipy.
namespace backstay::drift {

/// Maximum mean discrepancy of two samples (Gretton and others, "A kernel two-sample test", 2012): the unbiased
/// estimate of MMD^2 with the kernel exp(-|x - y|^2 / (2 s^2)), s the median distance among all points together.
struct MmdTest {
  double squared = 0;  ///< May be below 0 when nothing differs.
  double bandwidth = 0;
  double skewness = 0;  ///< Of `squared` over all ways to share out the points.
  /// Of the distribution over all ways to share out the points, by its exact mean (0), variance and skewness: a Pearson
  /// type III, as Kazi-Aoual and others, "Refined approximations to permutation tests for multivariate inference"
  /// (1995). No draws, so the same answer each time, and chances below one in the number of draws.
  double p_value = 1;
};
/// Samples with fewer than kLeastSample points each tell nothing: 0, and p = 1.
MmdTest mmd_test(std::span<const Projected> a, std::span<const Projected> b);
constexpr std::size_t kLeastSample = 10;

/// Whether two means are the same (Hotelling's T^2, 1931), in the directions in which anything varies.
TestResult means_test(const ProjectedMoments& a, const ProjectedMoments& b);

/// Frechet's distance between the normal distributions with these moments (Dowson and Landau, 1982): their
/// Wasserstein-2, in the vectors' unit.
double frechet_distance(const ProjectedMoments& a, const ProjectedMoments& b);

std::vector<Projected> points_of(const VectorProfile& profile);

/// The distance that versions are ranked by: Frechet's over the pooled total deviation; nothing when the dimensions
/// differ or there are no vectors.
std::optional<double> vector_distance(const VectorProfile& a, const VectorProfile& b);

}  // namespace backstay::drift
