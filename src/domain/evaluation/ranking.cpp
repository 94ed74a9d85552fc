#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "domain/evaluation/curves.hpp"
#include "domain/evaluation/measures.hpp"

namespace backstay::evaluation {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// The items of one query, best score first. Among equal scores what is less relevant comes first, so that a model
/// gains nothing by not telling items apart.
struct Ranked {
  std::vector<double> relevance;
  std::vector<double> score;
};

using OfQuery = std::function<double(const Ranked&)>;

Measure per_query(std::string name, OfQuery of_query) {
  Measure measure{std::move(name), Measure::Kind::kBounded};
  measure.units = [of_query = std::move(of_query)](const Predictions& p) {
    std::map<std::uint32_t, std::vector<std::size_t>> queries;
    for (std::size_t i = 0; i < p.rows(); ++i) queries[p.query[i]].push_back(i);
    std::vector<double> out;
    for (auto& [query, rows] : queries) {
      std::sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) {
        return p.value[a] != p.value[b] ? p.value[a] > p.value[b] : p.target[a] < p.target[b];
      });
      Ranked ranked;
      for (const std::size_t row : rows) {
        ranked.relevance.push_back(p.target[row]);
        ranked.score.push_back(p.value[row]);
      }
      out.push_back(of_query(ranked));
    }
    return out;
  };
  return measure;
}

double discount(std::size_t position) {
  return 1 / std::log2(static_cast<double>(position) + 2);
}

/// Gain of tied items is shared among their places: McSherry and Najork, "Computing information retrieval performance
/// measures efficiently in the presence of tied scores" (2008).
double gain(const Ranked& ranked, std::size_t k) {
  double sum = 0;
  const std::size_t items = ranked.score.size();
  for (std::size_t begin = 0; begin < items;) {
    std::size_t end = begin;
    double relevance = 0;
    double places = 0;
    for (; end < items && ranked.score[end] == ranked.score[begin]; ++end) {
      relevance += ranked.relevance[end];
      if (end < k) places += discount(end);
    }
    sum += relevance / static_cast<double>(end - begin) * places;
    begin = end;
  }
  return sum;
}

double ndcg(const Ranked& ranked, std::size_t k) {
  std::vector<double> best = ranked.relevance;
  std::sort(best.begin(), best.end(), std::greater<>());
  double ideal = 0;
  for (std::size_t i = 0; i < std::min(k, best.size()); ++i) ideal += best[i] * discount(i);
  return ideal == 0 ? 0 : gain(ranked, k) / ideal;
}

double relevant_in(const Ranked& ranked, std::size_t k) {
  const auto end = ranked.relevance.begin() + static_cast<std::ptrdiff_t>(std::min(k, ranked.relevance.size()));
  return static_cast<double>(std::count_if(ranked.relevance.begin(), end, [](double r) { return r > 0; }));
}

double reciprocal_rank(const Ranked& ranked) {
  for (std::size_t i = 0; i < ranked.relevance.size(); ++i)
    if (ranked.relevance[i] > 0) return 1 / static_cast<double>(i + 1);
  return 0;
}

double average_precision_of(const Ranked& ranked) {
  std::vector<std::uint32_t> relevant;
  for (const double relevance : ranked.relevance) relevant.push_back(relevance > 0 ? 1 : 0);
  return average_precision(relevant, ranked.score);
}

}  // namespace

std::vector<Measure> ranking_measures(const MeasureOptions& options) {
  std::vector<Measure> all;
  for (const std::size_t k : options.cutoffs) {
    all.push_back(per_query(fmt::format("ndcg_at_{}", k), [k](const Ranked& r) { return ndcg(r, k); }));
    all.push_back(per_query(fmt::format("precision_at_{}", k),
                            [k](const Ranked& r) { return relevant_in(r, k) / static_cast<double>(k); }));
    all.push_back(per_query(fmt::format("recall_at_{}", k), [k](const Ranked& r) {
      const double relevant = relevant_in(r, r.relevance.size());
      return relevant == 0 ? kNan : relevant_in(r, k) / relevant;
    }));
  }
  all.push_back(per_query("mean_reciprocal_rank", reciprocal_rank));
  all.push_back(per_query("mean_average_precision", average_precision_of));
  return all;
}

}  // namespace backstay::evaluation
