#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "domain/evaluation/fairness.hpp"
#include "domain/evaluation/predictions.hpp"

/// What is to be measured of a version: data, how it becomes requests, and what answers mean.
namespace backstay::evaluation {

/// How the version is served while it is evaluated; as an endpoint's backend.
struct BackendChoice {
  enum class Kind : std::uint8_t { kModel, kProcess, kUrl };
  Kind kind = Kind::kModel;
  std::string url;                          ///< kUrl: for every version; {version} stands for it.
  std::map<std::string, std::string> urls;  ///< kUrl: by version, before `url`.
  std::vector<std::string> command;
  std::string health_path;
  std::string served_as;  ///< The model's name in requests; empty: as it is registered.
  milliseconds start_timeout{60'000};
  milliseconds answer_timeout{120'000};  ///< For one request; what takes longer hangs, and ends the evaluation.
  std::uint64_t threads = 1;
  bool operator==(const BackendChoice&) const = default;
  /// kUrl: where this version answers, `{version}` not yet filled in; empty: nowhere.
  const std::string& url_of(const std::string& version) const;
};

/// kUrl: that both versions have a url, and not the same one, for then one would be compared with itself.
Result<void> check_urls_of_pair(const BackendChoice& backend, const std::string& version, const std::string& other);

/// One input tensor: a row of it is the row's cells in these columns.
struct Input {
  std::string name;  ///< Empty: the model's only input.
  std::vector<std::string> columns;
  std::vector<std::int64_t> shape;     ///< Of one row; empty: as the model says.
  std::optional<std::string> missing;  ///< What stands for an empty cell; none: such a row is an error.
};

/// What an output says of a row.
struct Output {
  enum class Kind : std::uint8_t {
    kScore,          ///< One number: the probability of the positive class.
    kProbabilities,  ///< One number per class.
    kLabel,          ///< A class.
    kValue,          ///< The number that is predicted, or that ranks.
    kText,           ///< What the model wrote.
  };
  std::string name;  ///< Empty: the model's only output.
  Kind kind = Kind::kScore;
  std::optional<double> threshold;  ///< A score from here on means the positive class; none: 0.5.
};

struct Latency {
  std::uint64_t requests = 0;  ///< 0: latency is not measured.
  std::uint64_t warmup = 10;
  std::uint64_t batch = 1;
  std::uint64_t parallel = 1;
};

/// Cells of a row changed before it is sent. `columns` empty: every input column.
struct Change {
  enum class Kind : std::uint8_t {
    kNone,
    kMissing,  ///< A share of cells, drawn by row and column from the seed, becomes `text`.
    kNoise,    ///< Plus a normal number times `amount` times the column's standard deviation.
    kSet,      ///< Becomes `text`.
    kScale,    ///< Times `amount`.
    kAdd,      ///< Plus `amount`.
  };
  Kind kind = Kind::kNone;
  std::vector<std::string> columns;
  double amount = 0;
  std::string text;
};

/// How much worse a version gets on changed rows, or on some of them.
struct Robustness {
  std::string name;
  Change change;
  std::map<std::string, std::string> where;  ///< Column -> value: only these rows. Empty: all.
};

/// What must hold of each row when it is changed.
struct Behaviour {
  enum class Kind : std::uint8_t {
    kSame,     ///< The same class; with a tolerance, and of numbers, every number within it.
    kNotLess,  ///< Score or number does not fall by more than `tolerance`.
    kNotMore,
  };
  std::string name;
  Kind kind = Kind::kSame;
  Change change;
  std::optional<double> tolerance;  ///< None: 0.
};

/// A version of the registry that judges what the model wrote.
struct Safety {
  std::string name;                    ///< "toxicity"
  std::string classifier;              ///< "toxicity-classifier@1.2.0", never an alias
  std::string input;                   ///< Empty: its only input.
  std::string output;                  ///< Empty: its only output.
  std::optional<std::uint64_t> index;  ///< Of several numbers for each text: which one is the score.
  double threshold = 0.5;              ///< A score from here on is unsafe.
  BackendChoice backend;
};

struct Set {
  std::string name;
  Task task = Task::kClassification;
  std::vector<std::string> files;  ///< Relative to the suite's folder.
  std::string sha256;              ///< Pins the rows' digest; empty: not pinned.
  std::vector<Input> inputs;
  Output output;
  std::string label;                 ///< Column of the truth: class, number or relevance. Not for text.
  std::string query;                 ///< Ranking: column that tells queries apart.
  std::vector<std::string> classes;  ///< In the order of probabilities.
  std::string positive;              ///< With two classes; empty: the second one.
  std::vector<std::string> groups;   ///< Columns.
  bool intersections = false;
  std::uint64_t bins = 10;
  double clip = 2.220446049250313e-16;  ///< What log_loss takes for a probability of 0; the double next to 1 less 1.
  std::vector<std::int64_t> cutoffs{10};
  Latency latency;
  std::vector<Robustness> robustness;
  std::vector<Behaviour> behaviour;
  std::vector<Safety> safety;
  std::string golden;  ///< File with answers to compare bit by bit; empty: none.
};

struct Suite {
  std::string name;
  double confidence = 0.95;
  std::uint64_t seed = 1;
  std::uint64_t batch = 64;
  std::uint64_t parallel = 2;
  std::uint64_t min_group = 30;
  SmallGroups small_groups = SmallGroups::kInsufficient;
  BackendChoice backend;
  std::vector<Set> sets;
};

/// Names, columns and bounds; that each set has what its task needs.
Result<void> validate(const Suite& suite);

}  // namespace backstay::evaluation
