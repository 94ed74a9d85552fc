#include "domain/drift/symmetric_matrix.hpp"

#include <algorithm>
#include <cmath>

namespace backstay::drift {

namespace {

/// Turns the plane of rows p and q so that their common entry becomes 0.
void rotate(SymmetricMatrix& a, std::vector<std::vector<double>>& vectors, std::size_t p, std::size_t q) {
  const double apart = (a.at(q, q) - a.at(p, p)) / (2 * a.at(p, q));
  const double tangent = std::copysign(1.0, apart) / (std::abs(apart) + std::hypot(apart, 1.0));
  const double cosine = 1 / std::hypot(tangent, 1.0);
  const double sine = tangent * cosine;
  const double both = a.at(p, q);
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (k == p || k == q) continue;
    const double x = a.at(k, p);
    const double y = a.at(k, q);
    a.set(k, p, cosine * x - sine * y);
    a.set(k, q, sine * x + cosine * y);
  }
  a.set(p, p, a.at(p, p) - tangent * both);
  a.set(q, q, a.at(q, q) + tangent * both);
  a.set(p, q, 0);
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double x = vectors[p][k];
    const double y = vectors[q][k];
    vectors[p][k] = cosine * x - sine * y;
    vectors[q][k] = sine * x + cosine * y;
  }
}

}  // namespace

Eigen eigen_of(const SymmetricMatrix& matrix) {
  constexpr int kMostSweeps = 60;
  constexpr double kRounding = 1e-18;
  SymmetricMatrix a = matrix;
  const std::size_t n = a.size();
  Eigen out;
  out.vectors.assign(n, std::vector<double>(n, 0.0));
  for (std::size_t i = 0; i < n; ++i) out.vectors[i][i] = 1;
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) largest = std::max(largest, std::abs(a.at(i, j)));
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    bool turned = false;
    for (std::size_t q = 1; q < n; ++q) {
      for (std::size_t p = 0; p < q; ++p) {
        if (!(std::abs(a.at(p, q)) > largest * kRounding)) continue;
        rotate(a, out.vectors, p, q);
        turned = true;
      }
    }
    if (!turned) break;
  }
  for (std::size_t i = 0; i < n; ++i) out.values.push_back(a.at(i, i));
  return out;
}

SymmetricMatrix square_root(const SymmetricMatrix& matrix) {
  const Eigen eigen = eigen_of(matrix);
  SymmetricMatrix out(matrix.size());
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < matrix.size(); ++k)
        sum += std::sqrt(std::max(0.0, eigen.values[k])) * eigen.vectors[k][i] * eigen.vectors[k][j];
      out.set(i, j, sum);
    }
  }
  return out;
}

SymmetricMatrix product_around(const SymmetricMatrix& outer, const SymmetricMatrix& inner) {
  const std::size_t n = outer.size();
  std::vector<double> half(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t j = 0; j < n; ++j) half[i * n + j] += outer.at(i, k) * inner.at(k, j);
  SymmetricMatrix out(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < n; ++k) sum += half[i * n + k] * outer.at(k, j);
      out.set(i, j, sum);
    }
  }
  return out;
}

}  // namespace backstay::drift
