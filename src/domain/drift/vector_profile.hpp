#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "domain/drift/quantile_sketch.hpp"

namespace backstay::drift {

/// Vectors are told apart by a projection onto 16 numbers, the same for all of a dimension: number k is the sum of the
/// coordinates k, k + 16, k + 32, ..., each with a fixed random sign (feature hashing: Weinberger and others, 2009). On
/// average it keeps squared lengths and inner products. Up to 16 coordinates nothing is lost.
constexpr std::size_t kProjected = 16;
using Projected = std::array<double, kProjected>;
/// Which projection it is, as stored profiles say.
constexpr std::uint64_t kProjectionVersion = 1;
Projected project(std::span<const double> vector);

/// Mean and covariance of projected vectors. Merges exactly (see PairMoments). A plain value.
struct ProjectedMoments {
  static constexpr std::size_t kProducts = kProjected * (kProjected + 1) / 2;

  std::uint64_t rows = 0;
  Projected mean{};
  /// Sums of products of deviations: (0,0), (1,0), (1,1), (2,0), ...
  std::array<double, kProducts> products{};

  void add(const Projected& point);
  void merge(const ProjectedMoments& other);
  /// With n - 1; 0 for fewer than two rows.
  double covariance(std::size_t i, std::size_t j) const;
  /// Sum of the variances.
  double trace() const;
  bool finite() const;
};

/// What the embeddings of one column look like: vectors of one dimension, that of the first. All of it merges, and the
/// same rows give the same profile. Not thread-safe.
class VectorProfile {
 public:
  static constexpr std::size_t kMaxDimension = 16'384;
  static constexpr double kMaxNorm = 1e18;
  static constexpr std::size_t kSample = 256;

  /// A vector of the sample, projected: the kSample with the least keys, which are a hash of the vector and of how many
  /// came before it, so that merging keeps it a uniform sample of all.
  struct Sampled {
    std::uint64_t key = 0;
    std::array<float, kProjected> point{};
    auto operator<=>(const Sampled&) const = default;
  };

  explicit VectorProfile(Resolution resolution = QuantileSketch::kUsual) : norms_(resolution) {}

  /// What is no vector (empty, too long, not finite, of a norm above kMaxNorm) is left out.
  void add(std::span<const double> vector);
  void merge(const VectorProfile& other);

  std::uint64_t dimension() const { return dimension_; }
  std::uint64_t count() const { return moments_.rows; }  ///< Of that dimension.
  std::uint64_t others() const { return others_; }       ///< Vectors of another.
  const ProjectedMoments& moments() const { return moments_; }
  const QuantileSketch& norms() const { return norms_; }
  /// By key.
  std::vector<Sampled> sample() const;

  struct Parts {
    std::uint64_t dimension = 0;
    std::uint64_t others = 0;
    ProjectedMoments moments;
    QuantileSketch norms;
    std::vector<Sampled> sample;
  };
  /// Nothing when they can't be those of a profile.
  static std::optional<VectorProfile> from_parts(Parts parts);

 private:
  void keep(const Sampled& sampled);
  std::uint64_t dimension_ = 0;
  std::uint64_t others_ = 0;
  ProjectedMoments moments_;
  QuantileSketch norms_;
  std::vector<Sampled> sample_;  ///< A heap, the greatest key first.
};

}  // namespace backstay::drift
