#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "domain/evaluation/calibration.hpp"
#include "domain/evaluation/curves.hpp"
#include "domain/evaluation/measures.hpp"

namespace backstay::evaluation {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Units = std::function<double(const Predictions&, std::size_t)>;

Measure per_row(std::string name, Measure::Kind kind, Units unit, double most = 1) {
  Measure measure{std::move(name), kind, most};
  measure.units = [unit = std::move(unit)](const Predictions& p) {
    std::vector<double> out(p.rows());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = unit(p, i);
    return out;
  };
  return measure;
}

constexpr Interval kShare{0, 1};

using UnseenRows = std::function<double(const Predictions&, double confidence)>;

/// Of each class as many rows may be unseen as were not drawn of it; a figure that is a mean over classes, or nearly
/// one, moves by the mean.
double unseen_of_classes(const Predictions& p, double confidence) {
  double sum = 0;
  double classes = 0;
  for (const auto& rows : strata_of(p)) {
    if (rows.empty()) continue;
    sum += unseen_share(rows.size(), confidence);
    classes += 1;
  }
  return classes == 0 ? 1 : sum / classes;
}

double unseen_of_positives(const Predictions& p, double confidence) {
  return unseen_share(static_cast<std::uint64_t>(std::count(p.truth.begin(), p.truth.end(), 1U)), confidence);
}

Measure statistic(std::string name, std::function<double(const Predictions&)> value,
                  std::function<Interval(const Predictions&, double)> limits = {}, Interval within = kShare,
                  UnseenRows unseen = unseen_of_classes) {
  Measure measure{std::move(name), Measure::Kind::kStatistic};
  measure.within = within;
  measure.value = std::move(value);
  measure.limits = std::move(limits);
  measure.unseen_range = [within](const Predictions&) { return within; };
  measure.unseen_rows = std::move(unseen);
  return measure;
}

/// By class: rows of it, rows called it, rows of it that were called it.
struct ClassCounts {
  double actual = 0, called = 0, right = 0;
};
using Counts = std::vector<ClassCounts>;

void count_row(const Predictions& p, std::size_t row, Counts& counts) {
  counts[p.truth[row]].actual += 1;
  counts[p.predicted[row]].called += 1;
  if (p.truth[row] == p.predicted[row]) counts[p.truth[row]].right += 1;
}

Counts count_classes(const Predictions& p) {
  Counts counts(p.classes.size());
  for (std::size_t i = 0; i < p.rows(); ++i) count_row(p, i, counts);
  return counts;
}

/// A figure that the counts tell, also of drawn rows.
Measure by_counts(std::string name, const std::function<double(const Counts&)>& figure, Interval within = kShare) {
  Measure measure = statistic(
      std::move(name), [figure](const Predictions& p) { return figure(count_classes(p)); }, {}, within);
  measure.of_draws = [figure](const Predictions& p) {
    return [figure, &p](const std::vector<std::uint32_t>& rows) {
      Counts counts(p.classes.size());
      for (const std::uint32_t row : rows) count_row(p, row, counts);
      return figure(counts);
    };
  };
  return measure;
}

double f1_of(const ClassCounts& c) {
  const double sum = c.actual + c.called;
  return sum == 0 ? kNan : 2 * c.right / sum;
}

/// F1 is 2 J / (1 + J), where J is the share of hits among the rows that are or are called positive.
Interval f1_limits(const Predictions& p, double confidence) {
  const ClassCounts c = count_classes(p)[1];
  const Interval share = clopper_pearson(static_cast<std::uint64_t>(c.right),
                                         static_cast<std::uint64_t>(c.actual + c.called - c.right), confidence);
  return {2 * share.lower / (1 + share.lower), 2 * share.upper / (1 + share.upper)};
}

/// NaN with rows of one class: it would be that class's recall.
double balanced_accuracy(const Predictions& p) {
  double sum = 0;
  double classes = 0;
  for (const ClassCounts& c : count_classes(p)) {
    if (c.actual == 0) continue;
    sum += c.right / c.actual;
    classes += 1;
  }
  return classes < 2 ? kNan : sum / classes;
}

/// The means of the limits of each class's recall, which hold together (Bonferroni).
Interval balanced_accuracy_limits(const Predictions& p, double confidence) {
  std::vector<ClassCounts> counts = count_classes(p);
  std::erase_if(counts, [](const ClassCounts& c) { return c.actual == 0; });
  const auto classes = static_cast<double>(counts.size());
  Interval sum{0, 0};
  for (const ClassCounts& c : counts) {
    const Interval one = clopper_pearson(static_cast<std::uint64_t>(c.right), static_cast<std::uint64_t>(c.actual),
                                         1 - (1 - confidence) / classes);
    sum.lower += one.lower / classes;
    sum.upper += one.upper / classes;
  }
  return sum;
}

/// Unweighted means over the classes that occur in truth or predictions; 0 where one is not defined.
double macro(const Counts& counts, double (*one)(const ClassCounts&)) {
  double sum = 0;
  double classes = 0;
  for (const ClassCounts& c : counts) {
    if (c.actual == 0 && c.called == 0) continue;
    const double value = one(c);
    sum += std::isnan(value) ? 0 : value;
    classes += 1;
  }
  return classes == 0 ? kNan : sum / classes;
}

/// Matthews' correlation coefficient, for any number of classes (Gorodkin, 2004). 0 where all rows are called the same;
/// NaN where all rows are of one class, with which nothing correlates.
double matthews(const Counts& counts) {
  double n = 0;
  for (const ClassCounts& c : counts) n += c.actual;
  if (std::any_of(counts.begin(), counts.end(), [n](const ClassCounts& c) { return c.actual == n; })) return kNan;
  double right = 0;
  double both = 0;
  double called = 0;
  double actual = 0;
  for (const ClassCounts& c : counts) {
    right += c.right;
    both += c.actual * c.called;
    called += c.called * c.called;
    actual += c.actual * c.actual;
  }
  const double below = (n * n - called) * (n * n - actual);
  return below == 0 ? 0 : (right * n - both) / std::sqrt(below);
}

double probability_of(const Predictions& p, std::size_t row, std::uint32_t which) {
  if (p.binary() && which == 0) return p.complements.empty() ? 1 - p.scores[row] : p.complements[row];
  if (p.binary()) return p.scores[row];
  return p.scores[row * p.classes.size() + which];
}

/// As scikit-learn has it since 1.9: what the model gives, cut at `clip` and 1 - `clip`, and not made to sum to 1. So
/// it lies in [0, -ln clip].
Measure log_loss(double clip) {
  return per_row(
      "log_loss", Measure::Kind::kBounded,
      [clip](const Predictions& p, std::size_t row) {
        return -std::log(std::clamp(probability_of(p, row, p.truth[row]), clip, 1 - clip));
      },
      -std::log(clip));
}

double brier_of(const Predictions& p, std::size_t row) {
  if (p.binary()) return std::pow(p.scores[row] - p.truth[row], 2);
  double sum = 0;
  for (std::uint32_t k = 0; k < p.classes.size(); ++k)
    sum += std::pow(probability_of(p, row, k) - (p.truth[row] == k ? 1 : 0), 2);
  return sum;
}

/// The class that is looked at of each row, its score and whether it was right.
struct Scored {
  std::vector<double> confidence;
  std::vector<double> right;
};
Scored scored(const Predictions& p) {
  Scored out{std::vector<double>(p.rows()), std::vector<double>(p.rows())};
  for (std::size_t i = 0; i < p.rows(); ++i) {
    std::uint32_t top = 1;
    if (!p.binary()) {
      top = 0;
      for (std::uint32_t k = 1; k < p.classes.size(); ++k)
        if (probability_of(p, i, k) > probability_of(p, i, top)) top = k;
    }
    out.confidence[i] = probability_of(p, i, top);
    out.right[i] = p.truth[i] == top ? 1 : 0;
  }
  return out;
}

Measure calibration(std::size_t bins) {
  return statistic(
      "calibration_error",
      [bins](const Predictions& p) {
        const Scored rows = scored(p);
        return calibration_error(rows.confidence, rows.right, bins);
      },
      [bins](const Predictions& p, double confidence) {
        const Scored rows = scored(p);
        return calibration_error_limits(rows.confidence, rows.right, bins, confidence);
      },
      kShare, [](const Predictions& p, double confidence) { return unseen_share(p.rows(), confidence); });
}

void add_binary(std::vector<Measure>& all, bool scored) {
  const auto rate = [&](const char* name, auto counts, auto holds) {
    all.push_back(per_row(name, Measure::Kind::kRate, [counts, holds](const Predictions& p, std::size_t i) {
      return counts(p, i) ? (holds(p, i) ? 1.0 : 0.0) : kNan;
    }));
  };
  const auto any = [](const Predictions&, std::size_t) { return true; };
  const auto actual = [](const Predictions& p, std::size_t i) { return p.truth[i] == 1; };
  const auto called = [](const Predictions& p, std::size_t i) { return p.predicted[i] == 1; };
  const auto not_actual = [](const Predictions& p, std::size_t i) { return p.truth[i] == 0; };
  const auto not_called = [](const Predictions& p, std::size_t i) { return p.predicted[i] == 0; };
  rate("precision", called, actual);
  rate("recall", actual, called);
  rate("specificity", not_actual, not_called);
  rate("positive_rate", any, called);
  all.push_back(statistic(
      "f1", [](const Predictions& p) { return f1_of(count_classes(p)[1]); }, f1_limits));
  if (!scored) return;
  all.push_back(statistic(
      "roc_auc", [](const Predictions& p) { return roc_auc(p.truth, p.scores); },
      [](const Predictions& p, double confidence) { return roc_auc_limits(p.truth, p.scores, confidence); }));
  all.push_back(statistic(
      "average_precision",
      [](const Predictions& p) {
        // Among positives alone every order is right: 1 would say nothing of a classifier.
        const bool negatives = std::find(p.truth.begin(), p.truth.end(), 0U) != p.truth.end();
        return negatives ? average_precision(p.truth, p.scores) : kNan;
      },
      {}, kShare, unseen_of_positives));
  all.back().of_draws = [](const Predictions& p) -> OfDraws {
    const auto draws = std::make_shared<PrecisionOfDraws>(p.truth, p.scores);
    return [draws](const std::vector<std::uint32_t>& rows) { return (*draws)(rows); };
  };
}

}  // namespace

std::vector<Measure> classification_measures(const Predictions& predictions, const MeasureOptions& options) {
  const bool binary = predictions.binary();
  const bool scored = !predictions.scores.empty();
  std::vector<Measure> all;
  all.push_back(per_row("accuracy", Measure::Kind::kRate,
                        [](const Predictions& p, std::size_t i) { return p.truth[i] == p.predicted[i] ? 1.0 : 0.0; }));
  all.push_back(statistic("balanced_accuracy", balanced_accuracy, balanced_accuracy_limits));
  if (binary) {
    add_binary(all, scored);
  } else {
    all.push_back(by_counts("precision_macro", [](const Counts& counts) {
      return macro(counts, [](const ClassCounts& c) { return c.called == 0 ? kNan : c.right / c.called; });
    }));
    all.push_back(by_counts("recall_macro", [](const Counts& counts) {
      return macro(counts, [](const ClassCounts& c) { return c.actual == 0 ? kNan : c.right / c.actual; });
    }));
    all.push_back(by_counts("f1_macro", [](const Counts& counts) { return macro(counts, f1_of); }));
  }
  all.push_back(by_counts("matthews_correlation", matthews, {-1, 1}));
  if (!scored) return all;
  all.push_back(log_loss(options.clip));
  all.push_back(per_row("brier_score", Measure::Kind::kBounded, brier_of, binary ? 1 : 2));
  all.push_back(calibration(options.bins));
  return all;
}

}  // namespace backstay::evaluation
