#include "domain/drift/vector_profile.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace backstay::drift {

namespace {

constexpr std::uint64_t kSignSeed = 0x6261636b73746179ULL;  // A new one is a new kProjectionVersion.

// SplitMix64.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

const std::vector<double>& signs() {
  static const std::vector<double> all = [] {
    std::vector<double> out(VectorProfile::kMaxDimension);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = mixed(kSignSeed + i) >> 63 != 0 ? 1 : -1;
    return out;
  }();
  return all;
}

double norm_of(std::span<const double> vector) {
  std::array<double, 4> squares{};
  std::size_t i = 0;
  for (; i + 4 <= vector.size(); i += 4)
    for (std::size_t k = 0; k < 4; ++k) squares[k] += vector[i + k] * vector[i + k];
  for (; i < vector.size(); ++i) squares[0] += vector[i] * vector[i];
  return std::sqrt(squares[0] + squares[1] + squares[2] + squares[3]);
}

std::uint64_t key_of(const Projected& point, std::uint64_t before) {
  std::uint64_t hash = mixed(before);
  for (const double each : point) hash = mixed(hash ^ std::bit_cast<std::uint64_t>(each));
  return hash;
}

}  // namespace

Projected project(std::span<const double> vector) {
  Projected out{};
  const double* sign = signs().data();
  std::size_t i = 0;
  for (; i + kProjected <= vector.size(); i += kProjected)
    for (std::size_t k = 0; k < kProjected; ++k) out[k] += sign[i + k] * vector[i + k];
  for (std::size_t k = 0; i + k < vector.size(); ++k) out[k] += sign[i + k] * vector[i + k];
  return out;
}

void ProjectedMoments::add(const Projected& point) {
  ++rows;
  const double part = 1 / static_cast<double>(rows);
  Projected before;
  Projected after;
  for (std::size_t i = 0; i < kProjected; ++i) {
    before[i] = point[i] - mean[i];
    mean[i] += before[i] * part;
    after[i] = point[i] - mean[i];
  }
  std::size_t at = 0;
  for (std::size_t i = 0; i < kProjected; ++i)
    for (std::size_t j = 0; j <= i; ++j) products[at++] += before[i] * after[j];
}

void ProjectedMoments::merge(const ProjectedMoments& other) {
  if (other.rows == 0) return;
  const auto mine = static_cast<double>(rows);
  const double share = static_cast<double>(other.rows) / (mine + static_cast<double>(other.rows));
  Projected apart;
  for (std::size_t i = 0; i < kProjected; ++i) apart[i] = other.mean[i] - mean[i];
  std::size_t at = 0;
  for (std::size_t i = 0; i < kProjected; ++i)
    for (std::size_t j = 0; j <= i; ++j, ++at) products[at] += other.products[at] + apart[i] * apart[j] * mine * share;
  for (std::size_t i = 0; i < kProjected; ++i) mean[i] += apart[i] * share;
  rows += other.rows;
}

double ProjectedMoments::covariance(std::size_t i, std::size_t j) const {
  if (rows < 2) return 0;
  const std::size_t row = std::max(i, j);
  return products[row * (row + 1) / 2 + std::min(i, j)] / static_cast<double>(rows - 1);
}

double ProjectedMoments::trace() const {
  double out = 0;
  for (std::size_t i = 0; i < kProjected; ++i) out += covariance(i, i);
  return out;
}

bool ProjectedMoments::finite() const {
  const auto is_finite = [](double x) { return std::isfinite(x); };
  return std::all_of(mean.begin(), mean.end(), is_finite) && std::all_of(products.begin(), products.end(), is_finite);
}

void VectorProfile::add(std::span<const double> vector) {
  if (vector.empty() || vector.size() > kMaxDimension) return;
  const double norm = norm_of(vector);
  if (!(norm <= kMaxNorm)) return;  // Also what is not a number.
  if (dimension_ == 0) dimension_ = vector.size();
  if (vector.size() != dimension_) {
    ++others_;
    return;
  }
  const Projected point = project(vector);
  Sampled sampled;
  sampled.key = key_of(point, moments_.rows);
  moments_.add(point);
  norms_.add(norm);
  if (sample_.size() == kSample && sample_.front().key < sampled.key) return;
  for (std::size_t i = 0; i < kProjected; ++i) sampled.point[i] = static_cast<float>(point[i]);
  keep(sampled);
}

void VectorProfile::keep(const Sampled& sampled) {
  if (sample_.size() == kSample) {
    if (!(sampled < sample_.front())) return;
    std::pop_heap(sample_.begin(), sample_.end());
    sample_.pop_back();
  }
  sample_.push_back(sampled);
  std::push_heap(sample_.begin(), sample_.end());
}

void VectorProfile::merge(const VectorProfile& other) {
  if (other.dimension_ == 0) return;
  if (dimension_ == 0) {
    *this = other;
    return;
  }
  others_ += other.others_;
  if (other.dimension_ != dimension_) {
    others_ += other.count();
    return;
  }
  moments_.merge(other.moments_);
  norms_.merge(other.norms_);
  for (const Sampled& each : other.sample_) keep(each);
}

std::vector<VectorProfile::Sampled> VectorProfile::sample() const {
  std::vector<Sampled> out = sample_;
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<VectorProfile> VectorProfile::from_parts(Parts parts) {
  constexpr double kRounding = 1 + 1e-6;
  constexpr double kTold = std::numeric_limits<double>::min();  // Squares below it are rounded.
  const ProjectedMoments& moments = parts.moments;
  const auto is_finite = [](float x) { return std::isfinite(x); };
  if (parts.dimension == 0 || parts.dimension > kMaxDimension || moments.rows == 0 || !moments.finite() ||
      parts.norms.count() != moments.rows || parts.sample.size() != std::min<std::uint64_t>(kSample, moments.rows) ||
      !std::is_sorted(parts.sample.begin(), parts.sample.end()))
    return std::nullopt;
  for (std::size_t i = 0; i < kProjected; ++i) {
    const auto square = [&](std::size_t k) { return moments.products[k * (k + 1) / 2 + k]; };
    if (square(i) < 0) return std::nullopt;
    for (std::size_t j = 0; j < i; ++j)
      if (std::abs(moments.products[i * (i + 1) / 2 + j]) > std::sqrt(square(i)) * std::sqrt(square(j)) * kRounding &&
          std::min(square(i), square(j)) >= kTold)
        return std::nullopt;
  }
  for (const Sampled& each : parts.sample)
    if (!std::all_of(each.point.begin(), each.point.end(), is_finite)) return std::nullopt;
  VectorProfile out(Resolution{parts.norms.k()});
  out.dimension_ = parts.dimension;
  out.others_ = parts.others;
  out.moments_ = moments;
  out.norms_ = std::move(parts.norms);
  out.sample_ = std::move(parts.sample);
  std::make_heap(out.sample_.begin(), out.sample_.end());
  return out;
}

}  // namespace backstay::drift
