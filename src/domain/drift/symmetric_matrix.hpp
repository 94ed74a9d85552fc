#pragma once

#include <cstddef>
#include <vector>

namespace backstay::drift {

/// A small symmetric matrix. A plain value.
class SymmetricMatrix {
 public:
  explicit SymmetricMatrix(std::size_t size) : size_(size), values_(size * size, 0.0) {}
  std::size_t size() const { return size_; }
  double at(std::size_t i, std::size_t j) const { return values_[i * size_ + j]; }
  void set(std::size_t i, std::size_t j, double value) { values_[i * size_ + j] = values_[j * size_ + i] = value; }

 private:
  std::size_t size_;
  std::vector<double> values_;
};

struct Eigen {
  std::vector<double> values;                ///< In no order.
  std::vector<std::vector<double>> vectors;  ///< Of length 1; that of values[k] is vectors[k].
};

/// Jacobi's method (1846), cyclic; for some dozens of rows. Entries must be finite.
Eigen eigen_of(const SymmetricMatrix& matrix);

/// The root of a matrix without negative eigenvalues; negative ones, which rounding leaves, count as 0.
SymmetricMatrix square_root(const SymmetricMatrix& matrix);

/// outer inner outer.
SymmetricMatrix product_around(const SymmetricMatrix& outer, const SymmetricMatrix& inner);

}  // namespace backstay::drift
