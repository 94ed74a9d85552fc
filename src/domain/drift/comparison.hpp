#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "domain/drift/column_profile.hpp"

/// Live data against training data, column by column.
namespace backstay::drift {

/// What decides that a column drifted: it must be unlikely by chance and of a size that matters. A size alone fires on
/// small windows in which nothing changed, chance alone fires on large windows in which next to nothing did.
struct Thresholds {
  double alpha = 0.01;          ///< Share of wrong findings (Benjamini-Hochberg over all tests of the comparison).
  double shift = 0.1;           ///< Numbers: Wasserstein-1 in training standard deviations, or
  double psi = 0.1;             ///< PSI over tenths.
  double js = 0.1;              ///< Categories and texts: Jensen-Shannon distance, nats.
  double missing = 0.02;        ///< Difference of shares of missing values.
  double mmd = 0.1;             ///< Vectors: MMD; 0.1 is about what a tenth of the rows make that moved far away.
  double correlation = 0.1;     ///< Pairs of numeric columns: difference of the correlations.
  std::uint64_t min_rows = 30;  ///< With fewer live rows there is no verdict.
};

enum class Measure { kNumber, kCategory, kText, kVector, kNone };
const char* to_string(Measure measure);

/// Something about a column's data that is wrong rather than only different.
struct QualityFinding {
  enum class Kind {
    kMissing,  ///< More, or fewer, missing values.
    kType,     ///< Values of a kind that training had not.
    kRange,    ///< Numbers outside of the training extremes.
    kUnseen,   ///< Categories that are not in the training profile.
    kAbsent,   ///< The column is not in the live data.
  };
  Kind kind = Kind::kMissing;
  double training = 0;  ///< Shares of rows.
  double live = 0;
  double p_value = 1;
  std::string text;  ///< A sentence.
};
const char* to_string(QualityFinding::Kind kind);

struct ColumnDrift {
  std::string name;
  Measure measure = Measure::kNone;
  std::uint64_t training_rows = 0;  ///< With a value.
  std::uint64_t live_rows = 0;
  /// "ks", "chi_squared"; of texts "lengths", "scripts", "vocabulary"; of vectors "mmd", "means", "norms"; empty when
  /// nothing could be compared.
  std::string test;
  double statistic = 0;
  double p_value = 1;
  double adjusted_p = 1;  ///< By Benjamini and Hochberg.
  std::optional<double> psi;
  std::optional<double> js;
  std::optional<double> ks;
  std::optional<double> wasserstein;  ///< In the values' unit.
  std::optional<double> shift;        ///< The same in training standard deviations; of vectors Frechet's distance.
  std::optional<double> mmd;          ///< Of vectors: MMD^2, the unbiased estimate.
  bool drifted = false;
  std::vector<QualityFinding> quality;
  std::vector<double> training_shares;  ///< Over the bins.
  std::vector<double> live_shares;
  std::vector<double> edges;               ///< Of the bins, for numbers.
  std::vector<double> training_quantiles;  ///< 5, 25, 50, 75 and 95%.
  std::vector<double> live_quantiles;
};

/// Two numeric columns whose relation is tested: each may look as in training while they go together differently.
struct PairDrift {
  std::string x, y;
  std::uint64_t training_rows = 0;  ///< With both numbers.
  std::uint64_t live_rows = 0;
  double training = 0;  ///< Pearson's correlations.
  double live = 0;
  double dispersion = 1;  ///< What the variance is multiplied with, because blocks of rows differ more than by chance.
  double statistic = 0;   ///< Fisher's z.
  double p_value = 1;
  double adjusted_p = 1;
  bool drifted = false;
};

struct Comparison {
  std::uint64_t training_rows = 0;
  std::uint64_t live_rows = 0;
  std::vector<ColumnDrift> columns;          ///< Drifted first, by adjusted p and size.
  std::vector<PairDrift> pairs;              ///< Drifted first, by the difference of the correlations.
  std::vector<std::string> not_in_training;  ///< Columns of the live data that training had not.
  std::vector<std::string> absent;           ///< The other way round.
  /// Columns whose relations are not tested (pair_drift.hpp).
  std::vector<std::string> heavy_tailed;
  /// Columns of one side that may be among those that the other side's profile leaves out.
  std::vector<std::string> not_compared;
  bool enough = true;  ///< Live rows for a verdict.
  std::size_t drifted() const;
  std::size_t drifted_pairs() const;
  std::size_t broken() const;  ///< Columns with findings about quality.
  bool clean() const { return drifted() == 0 && drifted_pairs() == 0 && broken() == 0; }
};

/// `ignored`: columns that are left out. The sketches' own errors are part of the chances. Columns and pairs are one
/// family of tests; together the pairs, however many, weigh as much as the columns (Genovese, Roeder, Wasserman, "False
/// discovery control with p-value weighting", 2006).
Comparison compare(const Profile& training, const Profile& live, const Thresholds& thresholds,
                   const std::set<std::string>& ignored = {});

/// The one distance between two columns that versions are ranked by: Wasserstein-1 over the pooled standard deviation
/// for numbers, Jensen-Shannon for categories, of lengths for texts, Frechet's for vectors; nothing when they can't be
/// compared.
std::optional<double> distance(const ColumnProfile& a, const ColumnProfile& b);

/// Standard deviation of a weighted sample.
double deviation(std::span<const Weighted> sample);

}  // namespace backstay::drift
