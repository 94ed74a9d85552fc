#include "domain/evaluation/curves.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace backstay::evaluation {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Of the mean of `values`.
double variance_of_mean(const std::vector<double>& values) {
  if (values.size() < 2) return kNan;
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const auto n = static_cast<double>(values.size());
  return squares / (n - 1) / n;
}

std::vector<std::uint32_t> by_score(std::span<const double> scores, bool descending) {
  std::vector<std::uint32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return descending ? scores[a] > scores[b] : scores[a] < scores[b];
  });
  return order;
}

/// What m pairs that are all in order say of the chance that a pair is.
Interval all_in_order(std::size_t pairs, double confidence) {
  return clopper_pearson(pairs, pairs, confidence);
}

}  // namespace

Placements placements(std::span<const std::uint32_t> truth, std::span<const double> scores) {
  const std::vector<std::uint32_t> order = by_score(scores, false);
  const auto positives = static_cast<double>(std::count(truth.begin(), truth.end(), 1U));
  const double negatives = static_cast<double>(truth.size()) - positives;
  Placements out;
  double positives_below = 0;
  double negatives_below = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double tied_positives = 0;
    for (; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end) tied_positives += truth[order[end]];
    const double tied_negatives = static_cast<double>(end - begin) - tied_positives;
    for (std::size_t i = begin; i < end; ++i) {
      if (truth[order[i]] == 1) {
        out.of_positives.push_back((negatives_below + tied_negatives / 2) / negatives);
      } else {
        out.of_negatives.push_back((positives - positives_below - tied_positives / 2) / positives);
      }
    }
    positives_below += tied_positives;
    negatives_below += tied_negatives;
    begin = end;
  }
  return out;
}

double roc_auc(std::span<const std::uint32_t> truth, std::span<const double> scores) {
  const Placements found = placements(truth, scores);
  if (found.of_positives.empty() || found.of_negatives.empty()) return kNan;
  return mean_of(found.of_positives);
}

Interval roc_auc_limits(std::span<const std::uint32_t> truth, std::span<const double> scores, double confidence) {
  const Placements found = placements(truth, scores);
  if (found.of_positives.empty() || found.of_negatives.empty()) return {};
  const double auc = mean_of(found.of_positives);
  const double variance = variance_of_mean(found.of_positives) + variance_of_mean(found.of_negatives);
  const std::size_t pairs = std::min(found.of_positives.size(), found.of_negatives.size());
  if (std::isnan(variance)) return {};
  const Interval exact = all_in_order(pairs, confidence);
  if (variance <= 0 || auc <= 0 || auc >= 1) {
    if (auc >= 1) return exact;
    if (auc <= 0) return {1 - exact.upper, 1 - exact.lower};
    return {};
  }
  const double z = gates::normal_quantile(0.5 + confidence / 2);
  const double logit = std::log(auc / (1 - auc));
  const double half = z * std::sqrt(variance) / (auc * (1 - auc));
  const auto back = [](double x) { return 1 / (1 + std::exp(-x)); };
  return {std::min(back(logit - half), exact.lower), std::max(back(logit + half), 1 - exact.lower)};
}

Interval roc_auc_difference(std::span<const std::uint32_t> truth, std::span<const double> scores_a,
                            std::span<const double> scores_b, double confidence) {
  // Placements come in the order of scores; here each must stand beside the other's of the same row.
  const auto by_row = [&](std::span<const double> scores) {
    const Placements found = placements(truth, scores);
    std::vector<double> out(truth.size());
    std::size_t positive = 0;
    std::size_t negative = 0;
    for (const std::uint32_t row : by_score(scores, false))
      out[row] = truth[row] == 1 ? found.of_positives[positive++] : found.of_negatives[negative++];
    return out;
  };
  const std::vector<double> a = by_row(scores_a);
  const std::vector<double> b = by_row(scores_b);
  std::vector<double> positives;
  std::vector<double> negatives;
  for (std::size_t i = 0; i < truth.size(); ++i) (truth[i] == 1 ? positives : negatives).push_back(a[i] - b[i]);
  if (positives.size() < 2 || negatives.size() < 2) return {-1, 1};
  const double difference = mean_of(positives);
  const double half = gates::normal_quantile(0.5 + confidence / 2) *
                      std::sqrt(variance_of_mean(positives) + variance_of_mean(negatives));
  const Interval wide = with_unseen(difference, {difference - half, difference + half}, {-1, 1},
                                    unseen_share(std::min(positives.size(), negatives.size()), confidence));
  return {std::max(-1.0, wide.lower), std::min(1.0, wide.upper)};
}

double average_precision(std::span<const std::uint32_t> truth, std::span<const double> scores) {
  const std::vector<std::uint32_t> order = by_score(scores, true);
  const auto positives = static_cast<double>(std::count(truth.begin(), truth.end(), 1U));
  if (positives == 0) return kNan;
  double sum = 0;
  double found = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double tied = 0;
    for (; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end) tied += truth[order[end]];
    found += tied;
    sum += tied * (found / static_cast<double>(end));
    begin = end;
  }
  return sum / positives;
}

PrecisionOfDraws::PrecisionOfDraws(std::span<const std::uint32_t> truth, std::span<const double> scores)
    : places_(truth.size()), positive_(truth.size()), last_(truth.size()), drawn_(truth.size()) {
  const std::vector<std::uint32_t> order = by_score(scores, true);
  for (std::size_t i = 0; i < order.size(); ++i) {
    places_[order[i]] = static_cast<std::uint32_t>(i);
    positive_[i] = truth[order[i]] == 1 ? 1 : 0;
    last_[i] = i + 1 == order.size() || scores[order[i]] != scores[order[i + 1]] ? 1 : 0;
  }
}

double PrecisionOfDraws::operator()(std::span<const std::uint32_t> rows) {
  std::fill(drawn_.begin(), drawn_.end(), 0U);
  for (const std::uint32_t row : rows) ++drawn_[places_[row]];
  double sum = 0;
  double found = 0;
  double end = 0;
  double tied = 0;
  for (std::size_t i = 0; i < drawn_.size(); ++i) {
    end += drawn_[i];
    if (positive_[i] != 0) tied += drawn_[i];
    if (last_[i] == 0) continue;
    found += tied;
    if (tied > 0) sum += tied * (found / end);
    tied = 0;
  }
  return found == 0 || found == end ? kNan : sum / found;
}

}  // namespace backstay::evaluation
