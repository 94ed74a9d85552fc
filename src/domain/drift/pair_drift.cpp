#include "domain/drift/pair_drift.hpp"

#include <algorithm>
#include <cmath>

namespace backstay::drift {

TestResult correlation_test(double r_a, double n, double r_b, double m, double dispersion) {
  TestResult out;
  if (n <= 3 || m <= 3) return out;
  out.statistic = (fisher_z(r_b) - fisher_z(r_a)) / std::sqrt(dispersion * (1 / (n - 3) + 1 / (m - 3)));
  out.p_value = std::erfc(std::abs(out.statistic) / std::sqrt(2.0));
  return out;
}

double dispersion_of(const PairMoments& a, const PairMoments& b) {
  constexpr double kLeastDegrees = 10;
  const auto degrees = [](const PairMoments& pair) {
    return pair.blocks > 1 ? static_cast<double>(pair.blocks - 1) : 0.0;
  };
  const double all = degrees(a) + degrees(b);
  if (all < kLeastDegrees) return 1;
  const double spread = (degrees(a) > 0 ? a.spread : 0) + (degrees(b) > 0 ? b.spread : 0);
  return std::max(1.0, spread / all);
}

std::set<std::string> heavy_tailed(const Profile& profile) {
  // The largest square of n normal numbers is about 2 log(2n) of n: of exponential ones up to 8 times as much, of
  // lognormal ones (sigma 1) from 12 times on. Of few rows any distribution has a large part in one.
  constexpr double kLarge = 12;
  constexpr double kLargeOfFew = 4;
  constexpr double kTenth = 0.1;
  std::set<std::string> out;
  const PairProfile& pairs = profile.pairs;
  for (const std::string& name : pairs.columns()) {
    const ColumnProfile* column = profile.find(name);
    PairMoments most;  // The column's own, over the most rows.
    for (const std::string& other : pairs.columns())
      if (const PairMoments pair = pairs.find(name, other); pair.rows > most.rows) most = pair;
    if (column == nullptr || column->numbers == 0 || most.rows < kLeastPairRows || !most.possible() ||
        !varies(most.xx, most.mean_x, most.rows))
      continue;
    const auto n = static_cast<double>(most.rows);
    const double usual = 2 * std::log(2 * n) / n;
    const double far = std::max(column->max - most.mean_x, most.mean_x - column->min);
    if (far * far / most.xx > std::max(kLargeOfFew * usual, std::min(kLarge * usual, kTenth))) out.insert(name);
  }
  return out;
}

std::vector<PairDrift> compare_pairs(const PairProfile& training, const PairProfile& live, const Thresholds& limits,
                                     const std::set<std::string>& ignored) {
  std::vector<PairDrift> out;
  const std::vector<std::string>& names = training.columns();
  for (std::size_t y = 1; y < names.size(); ++y) {
    for (std::size_t x = 0; x < y; ++x) {
      if (ignored.contains(names[x]) || ignored.contains(names[y])) continue;
      const PairMoments& before = training.at(x, y);
      const PairMoments now = live.find(names[x], names[y]);
      PairDrift pair;
      pair.training = before.correlation();
      pair.live = now.correlation();
      if (before.rows < kLeastPairRows || now.rows < kLeastPairRows || std::isnan(pair.training) ||
          std::isnan(pair.live))
        continue;
      pair.x = names[x];
      pair.y = names[y];
      pair.training_rows = before.rows;
      pair.live_rows = now.rows;
      pair.dispersion = dispersion_of(before, now);
      const TestResult test = correlation_test(pair.training, static_cast<double>(before.rows), pair.live,
                                               static_cast<double>(now.rows), pair.dispersion);
      pair.statistic = test.statistic;
      pair.p_value = test.p_value;
      pair.drifted = std::abs(pair.live - pair.training) >= limits.correlation;
      out.push_back(std::move(pair));
    }
  }
  return out;
}

}  // namespace backstay::drift
