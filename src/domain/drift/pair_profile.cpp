#include "domain/drift/pair_profile.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace backstay::drift {

void PairMoments::merge(const PairMoments& other) {
  if (other.rows == 0) return;
  if (rows == 0) {
    *this = other;
    return;
  }
  const auto mine = static_cast<double>(rows);
  const auto theirs = static_cast<double>(other.rows);
  const double share = theirs / (mine + theirs);
  const double dx = other.mean_x - mean_x;
  const double dy = other.mean_y - mean_y;
  rows += other.rows;
  mean_x += dx * share;
  mean_y += dy * share;
  xx += other.xx + dx * dx * mine * share;
  yy += other.yy + dy * dy * mine * share;
  xy += other.xy + dx * dy * mine * share;
  if (other.blocks == 0) return;
  const double both = weight + other.weight;
  const double z_share = other.weight / both;
  const double dz = other.mean_z - mean_z;
  spread += other.spread + dz * dz * weight * z_share;
  mean_z += dz * z_share;
  weight = both;
  blocks += other.blocks;
}

bool varies(double squares, double mean, std::uint64_t rows) {
  constexpr double kRounding = 1e-28;
  return rows > 1 && squares >= std::numeric_limits<double>::min() &&
         squares > kRounding * static_cast<double>(rows) * mean * mean;
}

double PairMoments::correlation() const {
  if (!possible() || !varies(xx, mean_x, rows) || !varies(yy, mean_y, rows))
    return std::numeric_limits<double>::quiet_NaN();
  return std::clamp(xy / std::sqrt(xx) / std::sqrt(yy), -1.0, 1.0);
}

bool PairMoments::finite() const {
  return std::isfinite(mean_x) && std::isfinite(mean_y) && std::isfinite(xx) && std::isfinite(yy) &&
         std::isfinite(xy) && std::isfinite(spread) && std::isfinite(mean_z);
}

bool PairMoments::possible() const {
  constexpr double kRounding = 1 + 1e-6;
  return finite() && xx >= 0 && yy >= 0 && std::abs(xy) <= std::sqrt(xx) * std::sqrt(yy) * kRounding;
}

double fisher_z(double correlation) {
  constexpr double kMost = 1 - 1e-8;
  const double r = std::clamp(correlation, -kMost, kMost);
  return 0.5 * std::log((1 + r) / (1 - r));
}

std::size_t PairProfile::place_of(std::string_view name) const {
  return static_cast<std::size_t>(std::find(columns_.begin(), columns_.end(), name) - columns_.begin());
}

PairMoments PairProfile::find(std::string_view x, std::string_view y) const {
  const std::size_t first = place_of(x);
  const std::size_t second = place_of(y);
  if (first == columns_.size() || second == columns_.size() || first == second) return {};
  if (first < second) return at(first, second);
  PairMoments out = at(second, first);
  std::swap(out.mean_x, out.mean_y);
  std::swap(out.xx, out.yy);
  return out;
}

std::size_t PairProfile::add_column(std::string name) {
  moments_.resize(moments_.size() + columns_.size());
  columns_.push_back(std::move(name));
  return columns_.size() - 1;
}

void PairProfile::merge(const PairProfile& other) {
  for (const std::string& name : other.columns_)
    if (columns_.size() < kMaxColumns && place_of(name) == columns_.size()) add_column(name);
  for (std::size_t y = 1; y < columns_.size(); ++y)
    for (std::size_t x = 0; x < y; ++x) at(x, y).merge(other.find(columns_[x], columns_[y]));
}

}  // namespace backstay::drift
