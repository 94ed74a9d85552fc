#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "domain/drift/quantile_sketch.hpp"

/// How far two distributions are from each other, and how surprising that is. Counts and weights need not be whole.
/// tests/e2e/test_drift_statistics.py compares all of it with scipy.
namespace backstay::drift {

/// Population stability index, sum (p - q) ln(p / q). Shares below `least` count as `least`, so that an empty bin does
/// not make it infinite.
double psi(std::span<const double> a, std::span<const double> b, double least = 1e-4);
/// Jensen-Shannon distance, in nats: sqrt(KL(p|m)/2 + KL(q|m)/2), m the mean of both. In [0, sqrt(ln 2)].
double jensen_shannon(std::span<const double> a, std::span<const double> b);
/// Wasserstein-1: the integral of |F - G|, in the values' unit. Samples ascending.
double wasserstein(std::span<const Weighted> a, std::span<const Weighted> b);
/// Kolmogorov-Smirnov: the greatest |F - G|. Samples ascending.
double kolmogorov_smirnov(std::span<const Weighted> a, std::span<const Weighted> b);

struct TestResult {
  double statistic = 0;
  double p_value = 1;
  double degrees = 0;  ///< Of freedom, where there are any.
};

/// Whether counts `observed` follow the shares of `expected` (Pearson); categories that are expected never are left
/// out.
TestResult chi_squared_fit(std::span<const double> observed, std::span<const double> expected);
/// Whether two rows of counts have the same shares (Pearson, contingency). Categories that both lack are left out.
TestResult chi_squared(std::span<const double> a, std::span<const double> b);
/// PSI with its chance when both are samples of the same: PSI / (1/n + 1/m) ~ chi-squared with B - 1 degrees (Yurdakul,
/// 2018; checked by simulation in this folder's tests). A fixed threshold is wrong for small samples: it fires on 77%
/// of windows of 100 rows against 2,000 in which nothing changed. Bins that both lack are left out.
TestResult psi_test(std::span<const double> a, std::span<const double> b);

/// P(D >= d) for two samples of n and m rows: by counting lattice paths (Hodges, 1957) while n m is at most 4,000,000,
/// else Kolmogorov's limit with Stephens' correction (1970).
double ks_p_value(double d, double n, double m);
/// Kolmogorov's limit distribution: P(sup |bridge| >= x).
double kolmogorov_tail(double x);
/// Whether two shares are the same: `hits` of `n` against `hits` of `m`, pooled, two-sided, with a continuity
/// correction.
double two_shares_p_value(double hits_a, double n, double hits_b, double m);
/// Upper tail of the chi-squared distribution: the regularised incomplete gamma function Q(k/2, x/2).
double chi_squared_tail(double x, double degrees);

/// Benjamini and Hochberg (1995): the p-values adjusted so that rejecting those at or below q makes at most a share q
/// of the rejections wrong, on average. In the order given. `weights`, 1 on average, say how much of the error each may
/// have (Genovese, Roeder, Wasserman, 2006); none: all the same.
std::vector<double> benjamini_hochberg(std::span<const double> p_values, std::span<const double> weights = {});

}  // namespace backstay::drift
