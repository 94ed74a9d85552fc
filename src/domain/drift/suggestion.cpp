#include "domain/drift/suggestion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/random.hpp"
#include "domain/drift/comparison.hpp"

namespace backstay::drift {

namespace {

constexpr std::uint64_t kSeed = 20'261'130;

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * M_PI * random.unit());
}

/// The middle 95% of draws around `value`.
Expected around(double value, std::vector<double> draws) {
  if (draws.empty()) return {value, value, value};
  std::sort(draws.begin(), draws.end());
  const auto at = [&](double q) { return draws[static_cast<std::size_t>(q * static_cast<double>(draws.size() - 1))]; };
  return {value, std::min(value, at(0.025)), std::max(value, at(0.975))};
}

/// The metric on a mixture of slices: a mean over all rows is the mean of the slices' means. `value_of` a slice's
/// score.
template <class ValueOf>
double mixed(const std::vector<SliceScore>& scores, const std::vector<double>& weights, bool root,
             const ValueOf& value_of) {
  double out = 0;
  for (const SliceScore& score : scores) {
    const double value = value_of(score);
    out += weights[score.slice] * (root ? std::pow(std::max(value, 0.0), 2) : value);
  }
  return root ? std::sqrt(out) : out;
}

double weighted(const std::vector<SliceScore>& scores, const std::vector<double>& weights, bool root) {
  return mixed(scores, weights, root, [](const SliceScore& score) { return score.value; });
}

/// One draw per resampled weights: the scores with their own errors, on those weights.
std::vector<double> draws_of(const Contender& contender, const Mixture& mixture, bool root, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> out;
  for (const std::vector<double>& weights : mixture.resampled)
    out.push_back(mixed(contender.scores, weights, root,
                        [&](const SliceScore& score) { return score.value + score.error * normal(random); }));
  return out;
}

bool scored(const Contender& contender, const Mixture& mixture) {
  return mixture.columns > 0 && contender.scores.size() == mixture.weights.size();
}

Suggestion by_distance(const std::vector<Contender>& contenders, std::size_t current, const SuggestionRules& rules,
                       Suggestion out) {
  const Ranked& first = out.ranking.front();
  const std::optional<double> now = contenders[current].distance;
  if (!now || !first.distance) {
    out.enough = false;
    out.reason = "the versions' training data has no profiles that could be compared with the live data";
    return out;
  }
  if (*now < rules.least_distance || !rules.drifted) {
    out.reason =
        fmt::format("the live data is like the training data of {} (distance {:.2f})", contenders[current].name, *now);
    return out;
  }
  if (first.contender == current || *first.distance >= rules.closer * *now) {
    out.reason = fmt::format("no version's training data is clearly closer to the live data than that of {}",
                             contenders[current].name);
    return out;
  }
  out.best = first.contender;
  out.reason = fmt::format(
      "its training data is {:.0f}% closer to the live data; that is a match of features: how well it predicts there "
      "was not measured",
      100 * (1 - *first.distance / *now));
  return out;
}

/// `now`: the current version's expected metric.
Suggestion by_performance(const std::vector<Contender>& contenders, std::size_t current, double now,
                          const SuggestionRules& rules, Suggestion out) {
  const Ranked& first = out.ranking.front();
  if (first.contender == current) {
    out.reason = fmt::format("{} is expected to do best on data like this", contenders[current].name);
    return out;
  }
  const Expected& gain = *first.gain;
  const std::string told = fmt::format("the gain is {}, between {} and {}", metric_text(gain.value, rules.share),
                                       metric_text(gain.lower, rules.share), metric_text(gain.upper, rules.share));
  const double least = rules.share ? rules.least_gain : rules.least_gain * std::abs(now);
  if (gain.lower <= 0 || gain.value < least) {
    out.reason = fmt::format("{} may be no better: {}", contenders[first.contender].name, told);
    return out;
  }
  out.best = first.contender;
  out.reason = told;
  return out;
}

}  // namespace

std::string metric_text(double value, bool share) {
  constexpr double kManyDigits = 1e4;
  if (share) return fmt::format("{:.3f}", value);
  return std::abs(value) < kManyDigits ? fmt::format("{:.4g}", value) : fmt::format("{:.0f}", value);
}

std::optional<double> profile_distance(const Profile& training, const Profile& live,
                                       const std::set<std::string>& ignored) {
  double sum = 0;
  std::size_t columns = 0;
  for (const Profile::Named& each : training.columns) {
    const ColumnProfile* found = ignored.contains(each.name) ? nullptr : live.find(each.name);
    const std::optional<double> apart = found != nullptr ? distance(each.column, *found) : std::nullopt;
    if (!apart) continue;
    sum += *apart;
    ++columns;
  }
  if (columns == 0) return std::nullopt;
  return sum / static_cast<double>(columns);
}

Suggestion suggest(const std::vector<Contender>& contenders, std::size_t current, const Mixture& mixture,
                   std::uint64_t live_rows, const SuggestionRules& rules) {
  Suggestion out;
  const double sign = rules.higher_is_better ? 1 : -1;
  const bool comparable = scored(contenders[current], mixture);
  const std::vector<double> now =
      comparable ? draws_of(contenders[current], mixture, rules.root, kSeed) : std::vector<double>();
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    Ranked ranked{i, contenders[i].distance, std::nullopt, std::nullopt};
    if (scored(contenders[i], mixture)) {
      std::vector<double> draws = draws_of(contenders[i], mixture, rules.root, kSeed + i + 1);
      const double value = weighted(contenders[i].scores, mixture.weights, rules.root);
      ranked.expected = around(value, draws);
      if (comparable && i != current) {
        for (std::size_t d = 0; d < draws.size(); ++d) draws[d] = sign * (draws[d] - now[d]);
        ranked.gain = around(sign * (value - weighted(contenders[current].scores, mixture.weights, rules.root)),
                             std::move(draws));
      }
    }
    out.ranking.push_back(ranked);
  }
  const bool explained = mixture.columns > 0 && mixture.unexplained <= rules.unexplained;
  const bool use_scores = explained && std::count_if(out.ranking.begin(), out.ranking.end(),
                                                     [](const Ranked& r) { return r.gain.has_value(); }) > 0;
  std::stable_sort(out.ranking.begin(), out.ranking.end(), [&](const Ranked& a, const Ranked& b) {
    if (use_scores && a.expected.has_value() != b.expected.has_value()) return a.expected.has_value();
    if (use_scores && a.expected && a.expected->value != b.expected->value)
      return sign * a.expected->value > sign * b.expected->value;
    return a.distance.value_or(INFINITY) < b.distance.value_or(INFINITY);
  });
  if (live_rows < rules.min_rows) {
    out.enough = false;
    out.reason = fmt::format("{} live rows are too few; {} are needed", live_rows, rules.min_rows);
    return out;
  }
  if (contenders.size() < 2) {
    out.reason = "there is no other version that could be released";
    return out;
  }
  if (use_scores)
    return by_performance(contenders, current, weighted(contenders[current].scores, mixture.weights, rules.root), rules,
                          std::move(out));
  const bool has_scores = comparable && !explained;
  out = by_distance(contenders, current, rules, std::move(out));
  if (has_scores) {
    // Scores exist and don't apply: closer training data alone is too weak a reason then.
    out.best.reset();
    out.reason = fmt::format(
        "the live data is unlike every slice that the versions were measured on ({:.2f} unexplained, at most {:.2f})",
        mixture.unexplained, rules.unexplained);
  }
  return out;
}

}  // namespace backstay::drift
