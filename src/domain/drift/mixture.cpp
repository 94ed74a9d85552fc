#include "domain/drift/mixture.hpp"

#include <algorithm>
#include <cmath>

#include "base/random.hpp"
#include "domain/drift/bins.hpp"
#include "domain/drift/distances.hpp"

namespace backstay::drift {

namespace {

constexpr int kSteps = 300;
constexpr double kEnough = 1e-7;
// A bin that a slice never had is not impossible there.
constexpr double kSmoothing = 0.5;

/// One column: shares per slice over common bins, and live counts.
struct Table {
  std::vector<std::vector<double>> slices;
  std::vector<double> live;
};

std::vector<Table> tables_of(const std::vector<const Profile*>& slices, const Profile& live,
                             const std::set<std::string>& ignored) {
  std::vector<Table> out;
  for (const Profile::Named& named : live.columns) {
    if (ignored.contains(named.name)) continue;
    ColumnProfile all;
    bool everywhere = true;
    for (const Profile* slice : slices) {
      const ColumnProfile* column = slice->find(named.name);
      everywhere = everywhere && column != nullptr && column->present() > 0;
      if (everywhere) all.merge(*column);
    }
    if (!everywhere) continue;
    const Bins bins(all);
    if (bins.kind() == Bins::Kind::kNone) continue;
    Table table;
    table.live = bins.counts_like(named.column, bins.counts(all));
    double total = 0;
    for (const double each : table.live) total += each;
    if (total <= 0) continue;
    for (const Profile* slice : slices) {
      std::vector<double> shares = bins.counts_like(*slice->find(named.name), table.live);
      double sum = 0;
      for (double& each : shares) sum += each += kSmoothing;
      for (double& each : shares) each /= sum;
      table.slices.push_back(std::move(shares));
    }
    out.push_back(std::move(table));
  }
  return out;
}

double total_of(const std::vector<double>& counts) {
  double out = 0;
  for (const double each : counts) out += each;
  return out;
}

std::vector<double> mixed(const Table& table, const std::vector<double>& weights) {
  std::vector<double> out(table.live.size(), 0.0);
  for (std::size_t s = 0; s < weights.size(); ++s)
    for (std::size_t b = 0; b < out.size(); ++b) out[b] += weights[s] * table.slices[s][b];
  return out;
}

/// `live` replaces the tables' own live counts.
std::vector<double> maximise(const std::vector<Table>& tables, const std::vector<std::vector<double>>& live,
                             std::vector<double> weights) {
  for (int step = 0; step < kSteps; ++step) {
    std::vector<double> next(weights.size(), 0.0);
    for (std::size_t t = 0; t < tables.size(); ++t) {
      const std::vector<double> mixture = mixed(tables[t], weights);
      const double n = total_of(live[t]) * static_cast<double>(tables.size());
      for (std::size_t b = 0; b < mixture.size(); ++b) {
        if (live[t][b] <= 0) continue;
        for (std::size_t s = 0; s < weights.size(); ++s)
          next[s] += live[t][b] / n * weights[s] * tables[t].slices[s][b] / mixture[b];
      }
    }
    double moved = 0;
    for (std::size_t s = 0; s < weights.size(); ++s) moved = std::max(moved, std::abs(next[s] - weights[s]));
    weights = std::move(next);
    if (moved < kEnough) break;
  }
  return weights;
}

/// `rows` draws from the shares of `counts`.
std::vector<double> drawn(const std::vector<double>& counts, std::uint64_t rows, Random& random) {
  std::vector<double> cumulative;
  double sum = 0;
  for (const double each : counts) cumulative.push_back(sum += each);
  std::vector<double> out(counts.size(), 0.0);
  for (std::uint64_t i = 0; i < rows; ++i) {
    const auto at = std::upper_bound(cumulative.begin(), cumulative.end(), random.unit() * sum) - cumulative.begin();
    out[std::min(static_cast<std::size_t>(at), out.size() - 1)] += 1;
  }
  return out;
}

}  // namespace

Mixture fit_mixture(const std::vector<const Profile*>& slices, const Profile& live, std::size_t resamples,
                    std::uint64_t seed, const std::set<std::string>& ignored) {
  constexpr std::uint64_t kMostDraws = 2'000;  // Per column: beyond it the slices' own samples decide.
  Mixture out;
  const std::vector<Table> tables = tables_of(slices, live, ignored);
  out.columns = tables.size();
  const std::vector<double> even(slices.size(), 1.0 / static_cast<double>(slices.size()));
  out.weights = even;
  if (tables.empty()) return out;
  std::vector<std::vector<double>> counts;
  for (const Table& table : tables) counts.push_back(table.live);
  out.weights = maximise(tables, counts, even);
  for (const Table& table : tables) {
    const double js = jensen_shannon(table.live, mixed(table, out.weights));
    // 8 JS^2 n is about chi-squared with B - 1 degrees when the mixture is right.
    const double chance = static_cast<double>(table.live.size() - 1) / (8 * total_of(table.live));
    out.unexplained += std::sqrt(std::max(0.0, js * js - chance)) / static_cast<double>(tables.size());
  }
  Random random(seed);
  for (std::size_t i = 0; i < resamples; ++i) {
    std::vector<std::vector<double>> again;
    for (const Table& table : tables) {
      const double rows = total_of(table.live) / static_cast<double>(tables.size());
      again.push_back(
          drawn(table.live, std::clamp<std::uint64_t>(static_cast<std::uint64_t>(rows), 1, kMostDraws), random));
    }
    out.resampled.push_back(maximise(tables, again, out.weights));
  }
  return out;
}

}  // namespace backstay::drift
