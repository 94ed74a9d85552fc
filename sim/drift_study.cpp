#include "sim/drift_study.hpp"

#include <array>
#include <cmath>
#include <optional>

#include "base/random.hpp"
#include "domain/drift/suggestion.hpp"

namespace backstay::sim {

namespace {

constexpr std::size_t kFeatures = 4;
constexpr int kBlocks = 64;
constexpr int kFirst = 8;         // Blocks before it only give the first versions something to be trained on.
constexpr int kSeason = 8;        // Blocks.
constexpr int kVersionEvery = 6;  // Not in step with the seasons: a version may be of both.
constexpr std::size_t kBlockRows = 600;
constexpr std::size_t kTrainingRows = 1'200;
constexpr std::size_t kScoreRows = 500;
constexpr std::size_t kMostVersions = 12;  // The newest.

struct Row {
  std::array<double, kFeatures> x{};
  bool label = false;
};
using Rows = std::vector<Row>;

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.unit())) * std::cos(2 * M_PI * random.unit());
}

double logistic(double z) {
  return 1 / (1 + std::exp(-z));
}

Row season_row(int block, Random& random) {
  const bool winter = block / kSeason % 2 == 0;
  Row row;
  row.x = {(winter ? 0 : 15) + 6 * normal(random), (winter ? 120 : 80) + 20 * normal(random), normal(random),
           normal(random)};
  const double z = winter ? 0.05 * (row.x[1] - 120) + 1.5 * row.x[2] : 0.2 * (row.x[0] - 15) - 1.5 * row.x[2];
  row.label = random.unit() < logistic(2 * z);
  return row;
}

Row electric_row(int block, Random& random) {
  const double year = 2 * M_PI * block / (2.0 * kSeason);
  const double hour = random.unit();
  const double demand = 0.5 + 0.25 * std::cos(year) + 0.2 * std::sin(2 * M_PI * hour) + 0.08 * normal(random);
  const double transfer = 0.4 - 0.15 * std::cos(year) + 0.1 * normal(random);
  const double price = 0.3 + 0.4 * demand - 0.2 * transfer + 0.002 * block + 0.05 * normal(random);
  Row row;
  row.x = {hour, demand, transfer, price};
  // In the cold demand drives the price, in the warm what comes over the border.
  const double cold = (1 + std::cos(year)) / 2;
  const double z = cold * 12 * (demand - 0.6 - 0.001 * block) - (1 - cold) * 12 * (transfer - 0.5);
  row.label = random.unit() < logistic(z);
  return row;
}

Row sea_row(int block, Random& random) {
  constexpr std::array<double, 4> kLimits{8, 9, 7, 9.5};
  Row row;
  for (double& each : row.x) each = 10 * random.unit();
  row.label = row.x[0] + row.x[1] <= kLimits[static_cast<std::size_t>(block / kSeason) % kLimits.size()];
  if (random.unit() < 0.1) row.label = !row.label;
  return row;
}

Row trend_row(int block, Random& random, bool moves) {
  const double at = moves ? block * 0.08 : 0;
  Row row;
  for (double& each : row.x) each = normal(random);
  row.x[0] += at;
  const double z = (row.x[0] - at) * std::cos(at / 2) + row.x[1] * std::sin(at / 2) + 0.5 * row.x[2];
  row.label = random.unit() < logistic(2 * z);
  return row;
}

Rows block_rows(Stream stream, int block, std::size_t count, Random& random) {
  Rows out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    switch (stream) {
      case Stream::kSeasons: out.push_back(season_row(block, random)); break;
      case Stream::kElectric: out.push_back(electric_row(block, random)); break;
      case Stream::kSea: out.push_back(sea_row(block, random)); break;
      case Stream::kTrend: out.push_back(trend_row(block, random, true)); break;
      case Stream::kSteady: out.push_back(trend_row(block, random, false)); break;
    }
  }
  return out;
}

/// Logistic regression on standardised features, by gradient descent.
class Model {
 public:
  explicit Model(const Rows& rows) {
    const auto n = static_cast<double>(rows.size());
    for (std::size_t f = 0; f < kFeatures; ++f) {
      for (const Row& row : rows) mean_[f] += row.x[f] / n;
      double squares = 0;
      for (const Row& row : rows) squares += (row.x[f] - mean_[f]) * (row.x[f] - mean_[f]) / n;
      scale_[f] = std::sqrt(squares) + 1e-9;
    }
    for (int step = 0; step < 150; ++step) {
      std::array<double, kFeatures + 1> gradient{};
      for (const Row& row : rows) {
        const double wrong = logistic(score(row)) - (row.label ? 1 : 0);
        for (std::size_t f = 0; f < kFeatures; ++f) gradient[f] += wrong * (row.x[f] - mean_[f]) / scale_[f] / n;
        gradient[kFeatures] += wrong / n;
      }
      for (std::size_t f = 0; f <= kFeatures; ++f) weights_[f] -= 1.5 * gradient[f];
    }
  }
  double error(const Rows& rows) const {
    double wrong = 0;
    for (const Row& row : rows) wrong += (score(row) > 0) != row.label ? 1 : 0;
    return wrong / static_cast<double>(rows.size());
  }

 private:
  double score(const Row& row) const {
    double z = weights_[kFeatures];
    for (std::size_t f = 0; f < kFeatures; ++f) z += weights_[f] * (row.x[f] - mean_[f]) / scale_[f];
    return z;
  }
  std::array<double, kFeatures> mean_{}, scale_{};
  std::array<double, kFeatures + 1> weights_{};
};

drift::Profile profile_of(const Rows& rows) {
  drift::Profile out;
  out.rows = rows.size();
  for (std::size_t f = 0; f < kFeatures; ++f) {
    out.columns.push_back({"x" + std::to_string(f), drift::ColumnProfile()});
    for (const Row& row : rows) out.columns[f].column.add_number(row.x[f], false);
  }
  return out;
}

/// A version with its training profile and the slice that came with it.
struct Version {
  Model model;
  drift::Profile training;
  Rows slice;
  drift::Profile slice_profile;
};

/// What a suggestion is made of: the current version and the others, on the slices of all of them.
std::optional<std::size_t> suggested(const std::vector<Version>& versions, std::size_t first, std::size_t current,
                                     const Rows& live_rows, Knowledge knowledge) {
  const drift::Profile live = profile_of(live_rows);
  drift::Mixture mixture;
  if (knowledge == Knowledge::kScores) {
    std::vector<const drift::Profile*> slices;
    for (std::size_t i = first; i < versions.size(); ++i) slices.push_back(&versions[i].slice_profile);
    mixture = drift::fit_mixture(slices, live, 60, 1);
  }
  std::vector<drift::Contender> contenders;
  for (std::size_t i = first; i < versions.size(); ++i) {
    drift::Contender& each = contenders.emplace_back();
    each.name = std::to_string(i);
    each.distance = drift::profile_distance(versions[i].training, live);
    if (knowledge == Knowledge::kDistance) continue;
    for (std::size_t s = first; s < versions.size(); ++s) {
      const double accuracy = 1 - versions[i].model.error(versions[s].slice);
      const double variance = accuracy * (1 - accuracy) / static_cast<double>(versions[s].slice.size());
      each.scores.push_back({s - first, accuracy, std::sqrt(variance)});
    }
  }
  const drift::Suggestion got = drift::suggest(contenders, current - first, mixture, live.rows, {});
  if (!got.best) return std::nullopt;
  return *got.best + first;
}

double recovered(double latest, double followed, double oracle) {
  const double lost = latest - oracle;
  return lost > 1e-4 ? (latest - followed) / lost : 0;
}

}  // namespace

const char* to_string(Stream stream) {
  switch (stream) {
    case Stream::kSeasons: return "seasons";
    case Stream::kElectric: return "electric";
    case Stream::kSea: return "SEA";
    case Stream::kTrend: return "trend";
    case Stream::kSteady: return "steady";
  }
  return "";
}

const char* to_string(Knowledge knowledge) {
  return knowledge == Knowledge::kDistance ? "distance" : "scores";
}

double DriftRun::recovered_of_stored() const {
  return recovered(latest, followed, stored);
}
double DriftRun::recovered_of_retrained() const {
  return recovered(latest, followed, retrained);
}

DriftRun run_drift(Stream stream, Knowledge knowledge, std::uint64_t seed) {
  Random random(seed);
  DriftRun out;
  std::vector<Version> versions;
  std::size_t current = 0;
  Rows before;  // The live rows of the block before this one.
  double blocks = 0;
  for (int block = 0; block < kBlocks; ++block) {
    if (block > 0 && block % kVersionEvery == 0) {
      // Trained on the two blocks before: that is what is at hand.
      Rows training = block_rows(stream, block - 1, kTrainingRows / 2, random);
      for (const Row& row : block_rows(stream, std::max(0, block - 2), kTrainingRows / 2, random))
        training.push_back(row);
      Rows slice = block_rows(stream, block - 1, kScoreRows, random);
      drift::Profile slice_profile = profile_of(slice);
      versions.push_back({Model(training), profile_of(training), std::move(slice), std::move(slice_profile)});
      current = versions.size() - 1;  // A release, as ever; suggestions come after it.
    }
    const Rows live = block_rows(stream, block, kBlockRows, random);
    if (block >= kFirst) {
      const std::size_t first = versions.size() > kMostVersions ? versions.size() - kMostVersions : 0;
      if (const auto better = suggested(versions, first, std::max(current, first), before, knowledge)) {
        current = *better;
        ++out.switches;
      }
      out.latest += versions.back().model.error(live);
      out.followed += versions[current].model.error(live);
      double least = 1;
      for (std::size_t i = first; i < versions.size(); ++i) least = std::min(least, versions[i].model.error(live));
      out.stored += least;
      out.retrained += Model(block_rows(stream, block, kTrainingRows, random)).error(live);
      ++blocks;
    }
    before = live;
  }
  for (double* each : {&out.latest, &out.followed, &out.stored, &out.retrained}) *each /= blocks;
  return out;
}

}  // namespace backstay::sim
