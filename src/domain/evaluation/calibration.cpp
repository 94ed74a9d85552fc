#include "domain/evaluation/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/random.hpp"

namespace backstay::evaluation {

namespace {

constexpr std::uint64_t kSeed = 0x63616c6962726174;  // Any; fixed, so that an evaluation can be repeated.

std::vector<std::uint32_t> bins_of(std::span<const double> scores, std::size_t bins) {
  // Edges as numpy.linspace computes them: a score on an edge must fall where scikit-learn lets it fall.
  const double step = 1.0 / static_cast<double>(bins);
  std::vector<double> edges;
  for (std::size_t i = 1; i < bins; ++i) edges.push_back(static_cast<double>(i) * step);
  std::vector<std::uint32_t> out;
  out.reserve(scores.size());
  for (const double score : scores)
    out.push_back(static_cast<std::uint32_t>(std::lower_bound(edges.begin(), edges.end(), score) - edges.begin()));
  return out;
}

/// The error of rows whose shortfalls, true less expected, were added up by bin.
double error_of(const std::vector<double>& shortfalls, std::size_t rows) {
  double sum = 0;
  for (const double shortfall : shortfalls) sum += std::abs(shortfall);
  return sum / static_cast<double>(rows);
}

/// The figures of resamples. `row(i, by_bin)` adds the i-th row's shortfall to its bin.
template <class AddRow>
std::vector<double> resampled(std::size_t rows, std::size_t bins, const AddRow& add_row) {
  const std::size_t resamples = resamples_of(rows);
  std::vector<double> figures;
  std::vector<double> by_bin(bins);
  for (std::size_t k = 0; k < resamples; ++k) {
    std::fill(by_bin.begin(), by_bin.end(), 0.0);
    for (std::size_t i = 0; i < rows; ++i) add_row(i, by_bin);
    figures.push_back(error_of(by_bin, rows));
  }
  std::sort(figures.begin(), figures.end());
  return figures;
}

}  // namespace

double calibration_error(std::span<const double> scores, std::span<const double> right, std::size_t bins) {
  if (scores.empty()) return std::numeric_limits<double>::quiet_NaN();
  struct Bin {
    double score = 0, right = 0;
  };
  std::vector<Bin> all(bins);
  const std::vector<std::uint32_t> bin_of = bins_of(scores, bins);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    all[bin_of[i]].score += scores[i];
    all[bin_of[i]].right += right[i];
  }
  double error = 0;
  for (const Bin& bin : all) error += std::abs(bin.right - bin.score);
  return error / static_cast<double>(scores.size());
}

Interval calibration_error_limits(std::span<const double> scores, std::span<const double> right, std::size_t bins,
                                  double confidence) {
  const std::size_t rows = scores.size();
  if (rows < gates::kFewestForLimits) return {};
  const std::vector<std::uint32_t> bin_of = bins_of(scores, bins);
  std::vector<double> count(bins);
  std::vector<double> share(bins);
  for (std::size_t i = 0; i < rows; ++i) {
    count[bin_of[i]] += 1;
    share[bin_of[i]] += right[i];
  }
  for (std::size_t b = 0; b < bins; ++b) share[b] = (share[b] + 0.5) / (count[b] + 1);  // Never surely 0 or 1.
  Random random(kSeed);
  const auto by_scores = resampled(rows, bins, [&](std::size_t i, std::vector<double>& by_bin) {
    by_bin[bin_of[i]] += (random.unit() < scores[i] ? 1 : 0) - scores[i];
  });
  const auto by_shares = resampled(rows, bins, [&](std::size_t i, std::vector<double>& by_bin) {
    const double chance = share[bin_of[i]];
    by_bin[bin_of[i]] += (random.unit() < chance ? 1 : 0) - chance;
  });
  const auto by_rows = resampled(rows, bins, [&](std::size_t, std::vector<double>& by_bin) {
    const std::size_t row = random.below(rows);
    by_bin[bin_of[row]] += right[row] - scores[row];
  });
  const double likely = 0.5 + confidence / 2;
  const double figure = calibration_error(scores, right, bins);
  const double chance = std::max(quantile(by_scores, likely), quantile(by_shares, likely));
  const double mean = std::accumulate(by_rows.begin(), by_rows.end(), 0.0) / static_cast<double>(by_rows.size());
  const Interval drawn{figure - chance, figure + quantile(by_rows, likely) - mean};
  const Interval wide = with_unseen(figure, drawn, {0, 1}, unseen_share(rows, confidence));
  return {std::max(0.0, wide.lower), std::min(1.0, wide.upper)};
}

}  // namespace backstay::evaluation
