#include "services/suggest_version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "domain/drift/comparison.hpp"
#include "domain/gates/intervals.hpp"
#include "domain/registry/metric_pooling.hpp"
#include "services/check_rollout.hpp"
#include "services/measure_drift.hpp"

namespace backstay::services {

namespace {

constexpr const char* kUsualMetric = "accuracy";
constexpr double kConfidence = 0.95;
constexpr double kSidesOf95 = 2 * 1.959963984540054;
constexpr std::size_t kResamples = 200;
constexpr std::uint64_t kSeed = 7;
constexpr std::size_t kMostVersions = 200;  // The newest; each is a profile to read.

struct Score {
  double value = 0;
  double error = 0;
  std::size_t newness = 0;  ///< A later one counts more.
};

/// What the scorecards of one version say of one metric.
class Scores {
 public:
  /// Values without either samples or limits say nothing about how sure they are, and are left out.
  static Result<Scores> of(const VersionStore& versions, const registry::VersionRef& ref, const std::string& metric,
                           std::set<std::string>& names) {
    TRY(std::vector<registry::StoredScorecard> cards, versions.scorecards(ref));
    std::stable_sort(cards.begin(), cards.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    Scores out;
    for (const registry::StoredScorecard& card : cards) {
      for (const registry::Metric& each : card.scorecard.metrics) {
        names.insert(each.name);
        if (each.name == metric && !each.group.empty()) out.add(card.scorecard.dataset, each);
      }
    }
    return out;
  }

  /// Where there are any, as "GROUP of DATA_SET"; empty: nowhere.
  std::string example() const {
    if (by_place_.empty()) return "";
    const auto& [set, group] = by_place_.rbegin()->first;
    return set.empty() ? group : fmt::format("{} of '{}'", group, set);
  }
  /// Values without limits, of which none can be made.
  std::size_t unsure() const { return unsure_; }
  const Score* on(const std::string& set, const registry::DataSlice& slice) const {
    const Score* out = newer(find(set, slice.name), find("", set + "/" + slice.name));
    if (slice.rule.column.empty()) return out;
    return newer(out, find(set, slice.rule.column + "=" + slice.rule.value));
  }

 private:
  void add(const std::string& set, const registry::Metric& metric) {
    gates::Interval limits;
    if (metric.lower && metric.upper) {
      limits = {*metric.lower, *metric.upper};
    } else if (metric.samples > 0 && registry::is_known_rate(metric.name)) {
      limits = gates::wilson(metric.value, metric.samples, kConfidence);
    } else {
      ++unsure_;
      return;
    }
    const Score score{metric.value, (limits.upper - limits.lower) / kSidesOf95, ++added_};
    by_place_[{set, metric.group}] = score;
    if (metric.group.find('/') != std::string::npos) by_place_[{"", metric.group}] = score;  // It names the data set.
  }
  const Score* find(const std::string& set, const std::string& group) const {
    const auto found = by_place_.find({set, group});
    return found == by_place_.end() ? nullptr : &found->second;
  }
  static const Score* newer(const Score* a, const Score* b) {
    if (a == nullptr || b == nullptr) return a == nullptr ? b : a;
    return a->newness > b->newness ? a : b;
  }

  std::map<std::pair<std::string, std::string>, Score> by_place_;  ///< By data set and group.
  std::size_t added_ = 0;
  std::size_t unsure_ = 0;
};

/// Slices on which something was measured, with their profiles; the first manifest that has one counts.
class MeasuredSlices {
 public:
  Result<void> add(const BlobStore& blobs, const registry::Manifest& manifest, const Scores& scores) {
    for (const registry::DataSet& set : manifest.data) {
      for (const registry::DataSlice& slice : set.slices) {
        const std::string name = set.name + "/" + slice.name;
        if (slice.profile_sha256.empty() || scores.on(set.name, slice) == nullptr) continue;
        if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
        TRY(drift::Profile profile, profile_of(blobs, slice));
        if (profile.rows == 0) continue;
        names_.push_back(name);
        slices_.emplace_back(set.name, slice);
        profiles_.push_back(std::move(profile));
      }
    }
    return {};
  }
  const std::vector<std::string>& names() const { return names_; }
  std::vector<const drift::Profile*> profiles() const {
    std::vector<const drift::Profile*> out;
    for (const drift::Profile& each : profiles_) out.push_back(&each);
    return out;
  }
  /// Of a version on each of them; empty when it lacks one.
  std::vector<drift::SliceScore> of(const Scores& scores) const {
    std::vector<drift::SliceScore> out;
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      const Score* score = scores.on(slices_[i].first, slices_[i].second);
      if (score == nullptr) return {};
      out.push_back({i, score->value, score->error});
    }
    return out;
  }

 private:
  std::vector<std::string> names_;
  std::vector<std::pair<std::string, registry::DataSlice>> slices_;  ///< With their data set.
  std::vector<drift::Profile> profiles_;
};

struct Candidate {
  StoredVersion version;
  registry::Manifest manifest;
  DataProfile training;
  Scores scores{};
};

Result<std::optional<Candidate>> candidate_of(const Registry& registry, const StoredVersion& version, Advice& advice) {
  TRY(registry::Manifest manifest, manifest_of(version));
  auto training = data_profile(registry.blobs, manifest, "training");
  if (!training && training.error().code == ErrorCode::kFailedPrecondition) {
    advice.excluded.push_back({version.ref, training.error().message});
    return std::optional<Candidate>();
  }
  if (!training) return Unexpected(std::move(training).error());
  return std::optional<Candidate>(Candidate{version, std::move(manifest), *std::move(training)});
}

/// Reads the scores of all; kNotFound when a metric was asked for that none of them has.
Result<void> read_scores(const Registry& registry, const SuggestQuestion& question, const std::string& metric,
                         std::vector<Candidate>& candidates) {
  constexpr std::size_t kShown = 20;
  std::set<std::string> names;
  for (Candidate& each : candidates) {
    TRY(each.scores, Scores::of(registry.versions, each.version.ref, metric, names));
  }
  if (question.metric.empty() || names.contains(metric)) return {};
  const auto end = std::next(names.begin(), static_cast<std::ptrdiff_t>(std::min(kShown, names.size())));
  return Unexpected(
      ErrorCode::kNotFound, fmt::format("No scorecard of '{}' has a metric '{}'.", question.current.model, metric),
      names.empty()
          ? "They have none: measure the versions with backstay evaluate or backstay scorecard add."
          : fmt::format("They have: {}{}.", fmt::join(names.begin(), end, ", "), end == names.end() ? "" : ", ..."));
}

}  // namespace

Result<Advice> suggest_version(const Registry& registry, const Records& records, const SuggestQuestion& question,
                               const drift::Profile& live) {
  Advice out;
  out.current = question.current;
  out.live_rows = live.rows;
  TRY(const StoredVersion now, registry.versions.version(question.current));
  TRY(std::optional<Candidate> current, candidate_of(registry, now, out));
  if (!current)
    return Unexpected(ErrorCode::kFailedPrecondition, out.excluded.front().why,
                      "Without it nothing tells whether another version would fit better. Register versions with "
                      "their training files.");
  if (question.know_ignored) TRY_DO(check_ignored(question.ignored, current->training.profile, live));
  std::vector<Candidate> candidates{*std::move(current)};
  TRY(std::vector<StoredVersion> versions, registry.versions.versions(question.current.model));
  if (versions.size() > kMostVersions) versions.resize(kMostVersions);
  for (const StoredVersion& version : versions) {
    if (version.ref == question.current) continue;
    if (const auto eligible = check_eligible(records, question.endpoint, version.ref, question.release); !eligible) {
      out.excluded.push_back({version.ref, eligible.error().message});
      continue;
    }
    TRY(std::optional<Candidate> candidate, candidate_of(registry, version, out));
    if (candidate) candidates.push_back(*std::move(candidate));
  }

  out.metric = question.metric.empty() ? kUsualMetric : question.metric;
  TRY_DO(read_scores(registry, question, out.metric, candidates));
  TRY(out.scale, registry::scale_of(out.metric, question.better));
  drift::SuggestionRules rules = question.rules;
  rules.higher_is_better = out.scale.better == registry::Better::kHigher;
  rules.share = out.scale.share;
  const drift::Comparison now_and_then =
      drift::compare(candidates.front().training.profile, live, {}, question.ignored);
  rules.drifted = now_and_then.drifted() > 0 || now_and_then.broken() > 0;
  TRY(const registry::Pooling pooling, registry::pooling_for_mixtures(out.metric));
  rules.root = pooling == registry::Pooling::kRootOfMean;
  MeasuredSlices slices;
  for (const Candidate& each : candidates) TRY_DO(slices.add(registry.blobs, each.manifest, candidates.front().scores));
  out.slices = slices.names();
  if (!out.slices.empty())
    out.mixture = drift::fit_mixture(slices.profiles(), live, kResamples, kSeed, question.ignored);
  if (const std::string found = candidates.front().scores.example(); out.slices.empty() && !found.empty())
    out.note = fmt::format(
        "{} was measured on groups, like {}, and none of them is a slice with a profile: name the suite's set as the "
        "data set in version.yaml, whose slices are by the same column",
        out.metric, found);
  if (out.slices.empty() && out.note.empty() && candidates.front().scores.unsure() > 0)
    out.note = fmt::format("{} was measured on groups, without limits (lower, upper) that tell how sure the values are",
                           out.metric);
  std::vector<drift::Contender> contenders;
  for (const Candidate& each : candidates) {
    contenders.push_back({each.version.ref.version.str(),
                          drift::profile_distance(each.training.profile, live, question.ignored),
                          out.slices.empty() ? std::vector<drift::SliceScore>() : slices.of(each.scores)});
    out.considered.push_back({each.version.ref, each.version.stage == "Archived", each.training.slices});
  }
  out.suggestion = drift::suggest(contenders, 0, out.mixture, live.rows, rules);
  return out;
}

}  // namespace backstay::services
