#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/drift/mixture.hpp"

/// Which of several versions fits the live data best, and whether that is sure enough to be said.
namespace backstay::drift {

/// A metric of a version on one slice.
struct SliceScore {
  std::size_t slice = 0;  ///< In the mixture.
  double value = 0;
  double error = 0;  ///< Standard error of it.
};

struct Contender {
  std::string name;
  std::optional<double> distance;  ///< Mean over columns between its training data and the live data.
  std::vector<SliceScore> scores;  ///< On every slice of the mixture, or empty.
};

struct Expected {
  double value = 0, lower = 0, upper = 0;  ///< 95%.
};

struct Ranked {
  std::size_t contender = 0;
  std::optional<double> distance;
  std::optional<Expected> expected;  ///< Of the metric on data like the live data.
  std::optional<Expected> gain;      ///< Against the current version, in the metric's good direction.
};

struct SuggestionRules {
  /// Whether the live data differs from the current training data by more than chance (compare()): without scores
  /// nothing is suggested otherwise.
  bool drifted = true;
  double closer = 0.8;          ///< Without scores: only a version at less than this times the current distance, and
  double least_distance = 0.1;  ///< only when that is at least this: below it chance decides who is closer.
  double least_gain = 0.005;    ///< With scores: the gain's lower limit must be above 0 and the gain at least this; of
                                ///< a metric that is no share, this part of the current version's value.
  double unexplained = 0.15;    ///< Above it the live data is unlike all slices, and scores on them tell nothing.
  std::uint64_t min_rows = 100;
  bool higher_is_better = true;
  bool share = true;  ///< The metric lies in [0, 1] or [-1, 1].
  bool root = false;  ///< It is the root of a mean over rows (of squared errors), not such a mean itself.
};

struct Suggestion {
  std::vector<Ranked> ranking;      ///< Best first; the current version is in it.
  std::optional<std::size_t> best;  ///< Contender to switch to; nothing: stay.
  std::string reason;               ///< A sentence: why it is suggested, or why nothing is.
  bool enough = true;               ///< There was enough to decide by.
};

/// A value or gain of a metric as people read it: three decimals of a share, four digits of anything else.
std::string metric_text(double value, bool share);

/// Mean over columns of distance() between two profiles; nothing when they share none.
std::optional<double> profile_distance(const Profile& training, const Profile& live,
                                       const std::set<std::string>& ignored = {});

/// `current` is an index into `contenders`. Where the current version and another have scores on all slices of the
/// mixture, expected performance decides; else the distance, which is a match of features only. The interval comes from
/// resampled weights and normal errors of the scores. The metric must be a mean over rows, or the root of one.
Suggestion suggest(const std::vector<Contender>& contenders, std::size_t current, const Mixture& mixture,
                   std::uint64_t live_rows, const SuggestionRules& rules);

}  // namespace backstay::drift
