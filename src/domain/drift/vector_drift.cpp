#include "domain/drift/vector_drift.hpp"

#include <algorithm>
#include <cmath>

#include "domain/drift/symmetric_matrix.hpp"
#include "domain/evaluation/intervals.hpp"

namespace backstay::drift {

namespace {

double squared_distance(const Projected& a, const Projected& b) {
  double out = 0;
  for (std::size_t i = 0; i < kProjected; ++i) out += (a[i] - b[i]) * (a[i] - b[i]);
  return out;
}

/// The points' kernel, less each point's own share of it: rows add up to 0, the diagonal is 0 (U-centring: Szekely,
/// Rizzo, "Partial distance correlation", 2014). MMD^2 is the same with it, and its moments are short.
std::vector<double> centred_kernel(const std::vector<const Projected*>& points, double& bandwidth) {
  const std::size_t n = points.size();
  std::vector<double> kernel(n * n, 0.0);
  std::vector<double> distances;
  distances.reserve(n * (n - 1) / 2);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      kernel[i * n + j] = squared_distance(*points[i], *points[j]);
      distances.push_back(kernel[i * n + j]);
    }
  }
  const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
  std::nth_element(distances.begin(), middle, distances.end());
  double square = *middle;
  if (square == 0)  // More than half of the points are the same.
    for (const double each : distances) square += each / static_cast<double>(distances.size());
  bandwidth = std::sqrt(square);
  if (!(square > 0)) return {};
  std::vector<double> rows(n, 0.0);
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double value = std::exp(-kernel[i * n + j] / (2 * square));
      kernel[i * n + j] = value;
      rows[i] += value;
      rows[j] += value;
      total += 2 * value;
    }
  }
  const auto size = static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      kernel[i * n + j] += total / ((size - 1) * (size - 2)) - (rows[i] + rows[j]) / (size - 2);
      kernel[j * n + i] = kernel[i * n + j];
    }
  }
  return kernel;
}

/// Sums over the matrix: of squares, of cubes, and the trace of its third power.
struct KernelSums {
  double squares = 0, cubes = 0, triangles = 0;
};

KernelSums sums_of(const std::vector<double>& kernel, std::size_t n) {
  using Two = double __attribute__((vector_size(16)));
  const auto dot = [&](const double* a, const double* b) {
    Two sums[4] = {};
    std::size_t k = 0;
    for (; k + 8 <= n; k += 8) {
      for (std::size_t lane = 0; lane < 4; ++lane) {
        Two x;
        Two y;
        __builtin_memcpy(&x, a + k + 2 * lane, sizeof x);
        __builtin_memcpy(&y, b + k + 2 * lane, sizeof y);
        sums[lane] += x * y;
      }
    }
    const Two all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double out = all[0] + all[1];
    for (; k < n; ++k) out += a[k] * b[k];
    return out;
  };
  KernelSums out;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double value = kernel[i * n + j];
      out.squares += 2 * value * value;
      out.cubes += 2 * value * value * value;
      out.triangles += 2 * value * dot(&kernel[i * n], &kernel[j * n]);
    }
  }
  return out;
}

/// P(Z >= z) of a Pearson type III distribution with mean 0, variance 1 and this skewness: a gamma distribution, moved.
double pearson3_tail(double z, double skewness) {
  constexpr double kNearlyNormal = 0.005;
  if (std::abs(skewness) < kNearlyNormal) {
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI);
    return std::clamp(std::erfc(z / std::sqrt(2.0)) / 2 + skewness / 6 * (z * z - 1) * density, 0.0, 1.0);
  }
  const double shape = 4 / (skewness * skewness);
  const double at = skewness > 0 ? shape + z * std::sqrt(shape) : shape - z * std::sqrt(shape);
  const double above = at > 0 ? chi_squared_tail(2 * at, 2 * shape) : 1;
  return skewness > 0 ? above : 1 - above;
}

SymmetricMatrix matrix_of(const ProjectedMoments& moments) {
  SymmetricMatrix out(kProjected);
  for (std::size_t i = 0; i < kProjected; ++i)
    for (std::size_t j = 0; j <= i; ++j) out.set(i, j, moments.covariance(i, j));
  return out;
}

}  // namespace

MmdTest mmd_test(std::span<const Projected> a, std::span<const Projected> b) {
  MmdTest out;
  if (a.size() < kLeastSample || b.size() < kLeastSample) return out;
  std::vector<const Projected*> points;
  for (const Projected& point : a) points.push_back(&point);
  for (const Projected& point : b) points.push_back(&point);
  const std::vector<double> kernel = centred_kernel(points, out.bandwidth);
  if (kernel.empty()) return out;
  const std::size_t size = points.size();
  double within = 0;  // Over the ordered pairs of a; those of b add up to the same, those between to minus that.
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) within += 2 * kernel[i * size + j];
  const auto n = static_cast<double>(a.size());
  const auto m = static_cast<double>(b.size());
  const double factor = 1 / (n * (n - 1)) + 1 / (m * (m - 1)) + 2 / (n * m);
  out.squared = within * factor;

  // p[k]: the chance that k given points are all in a. Sums over all graphs of two and three edges come down to these
  // because rows add up to 0.
  double p[7] = {1};
  for (int k = 1; k <= 6; ++k) p[k] = p[k - 1] * (n - k + 1) / (n + m - k + 1);
  const KernelSums sums = sums_of(kernel, size);
  const double variance = 2 * sums.squares * (p[2] - 2 * p[3] + p[4]);
  if (!(variance > 0)) return out;
  const double third = sums.cubes * (4 * p[2] - 24 * p[3] + 52 * p[4] - 48 * p[5] + 16 * p[6]) +
                       sums.triangles * (8 * p[3] - 24 * p[4] + 24 * p[5] - 8 * p[6]);
  out.skewness = third / std::pow(variance, 1.5);
  out.p_value = pearson3_tail(within / std::sqrt(variance), out.skewness);
  return out;
}

TestResult means_test(const ProjectedMoments& a, const ProjectedMoments& b) {
  TestResult out;
  const auto n = static_cast<double>(a.rows);
  const auto m = static_cast<double>(b.rows);
  if (a.rows < 2 || b.rows < 2) return out;
  SymmetricMatrix pooled(kProjected);
  for (std::size_t i = 0; i < kProjected; ++i)
    for (std::size_t j = 0; j <= i; ++j)
      pooled.set(i, j, ((n - 1) * a.covariance(i, j) + (m - 1) * b.covariance(i, j)) / (n + m - 2));
  const Eigen eigen = eigen_of(pooled);
  const double most = *std::max_element(eigen.values.begin(), eigen.values.end());
  constexpr double kRounding = 1e-9;
  for (std::size_t k = 0; k < kProjected; ++k) {
    if (!(eigen.values[k] > most * kRounding)) continue;
    double along = 0;
    for (std::size_t i = 0; i < kProjected; ++i) along += eigen.vectors[k][i] * (b.mean[i] - a.mean[i]);
    out.statistic += along * along / eigen.values[k];
    out.degrees += 1;
  }
  out.statistic *= n * m / (n + m);
  const double rest = n + m - out.degrees - 1;
  if (out.degrees == 0 || rest < 1) return out;
  constexpr double kNearlyInfinite = 1e5;
  if (rest > kNearlyInfinite) {
    out.p_value = chi_squared_tail(out.statistic, out.degrees);
  } else {
    // T^2 rest / (degrees (n + m - 2)) has an F distribution.
    out.p_value = evaluation::incomplete_beta(rest / 2, out.degrees / 2, 1 / (1 + out.statistic / (n + m - 2)));
  }
  return out;
}

double frechet_distance(const ProjectedMoments& a, const ProjectedMoments& b) {
  double out = a.trace() + b.trace();
  for (std::size_t i = 0; i < kProjected; ++i) out += (a.mean[i] - b.mean[i]) * (a.mean[i] - b.mean[i]);
  const Eigen between = eigen_of(product_around(square_root(matrix_of(a)), matrix_of(b)));
  for (const double value : between.values) out -= 2 * std::sqrt(std::max(0.0, value));
  return std::sqrt(std::max(0.0, out));
}

std::vector<Projected> points_of(const VectorProfile& profile) {
  std::vector<Projected> out;
  for (const VectorProfile::Sampled& each : profile.sample())
    std::copy(each.point.begin(), each.point.end(), out.emplace_back().begin());
  return out;
}

std::optional<double> vector_distance(const VectorProfile& a, const VectorProfile& b) {
  if (a.count() == 0 || b.count() == 0 || a.dimension() != b.dimension()) return std::nullopt;
  const double apart = frechet_distance(a.moments(), b.moments());
  if (apart == 0) return 0.0;
  const double pooled = std::sqrt((a.moments().trace() + b.moments().trace()) / 2);
  return pooled > 0 ? apart / pooled : 1.0;
}

}  // namespace backstay::drift
