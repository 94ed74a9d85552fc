#include "services/suggest_version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "domain/gates/intervals.hpp"
#include "services/check_rollout.hpp"

namespace backstay::services {

namespace {

constexpr double kConfidence = 0.95;
constexpr double kSidesOf95 = 2 * 1.959963984540054;
constexpr std::size_t kResamples = 200;
constexpr std::uint64_t kSeed = 7;
constexpr std::size_t kMostVersions = 200;  // The newest; each is a profile to read.

struct Score {
  double value = 0;
  double error = 0;
};

/// The newest value of the metric for each group, with its standard error. Values without either samples or limits say
/// nothing about how sure they are, and are left out.
Result<std::map<std::string, Score>> scores_of(const VersionStore& versions, const registry::VersionRef& ref,
                                               const std::string& metric_name) {
  TRY(std::vector<registry::StoredScorecard> cards, versions.scorecards(ref));
  std::stable_sort(cards.begin(), cards.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  std::map<std::string, Score> out;
  for (const registry::StoredScorecard& card : cards) {
    for (const registry::Metric& metric : card.scorecard.metrics) {
      if (metric.name != metric_name || metric.group.empty()) continue;
      if (metric.lower && metric.upper) {
        out[metric.group] = {metric.value, (*metric.upper - *metric.lower) / kSidesOf95};
      } else if (metric.samples > 0 && registry::is_known_rate(metric.name)) {
        const gates::Interval limits = gates::wilson(metric.value, metric.samples, kConfidence);
        out[metric.group] = {metric.value, (limits.upper - limits.lower) / kSidesOf95};
      }
    }
  }
  return out;
}

const Score* find_score(const std::map<std::string, Score>& scores, const std::string& set, const std::string& slice) {
  auto found = scores.find(set + "/" + slice);
  if (found == scores.end()) found = scores.find(slice);
  return found == scores.end() ? nullptr : &found->second;
}

/// Slices on which something was measured, with their profiles; the first manifest that has one counts.
class MeasuredSlices {
 public:
  Result<void> add(const BlobStore& blobs, const registry::Manifest& manifest,
                   const std::map<std::string, Score>& scores) {
    for (const registry::DataSet& set : manifest.data) {
      for (const registry::DataSlice& slice : set.slices) {
        const std::string name = set.name + "/" + slice.name;
        if (slice.profile_sha256.empty() || find_score(scores, set.name, slice.name) == nullptr) continue;
        if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
        TRY(drift::Profile profile, profile_of(blobs, slice));
        if (profile.rows == 0) continue;
        names_.push_back(name);
        sets_.emplace_back(set.name, slice.name);
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
  std::vector<drift::SliceScore> of(const std::map<std::string, Score>& scores) const {
    std::vector<drift::SliceScore> out;
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      const Score* score = find_score(scores, sets_[i].first, sets_[i].second);
      if (score == nullptr) return {};
      out.push_back({i, score->value, score->error});
    }
    return out;
  }

 private:
  std::vector<std::string> names_;
  std::vector<std::pair<std::string, std::string>> sets_;
  std::vector<drift::Profile> profiles_;
};

struct Candidate {
  StoredVersion version;
  registry::Manifest manifest;
  DataProfile training;
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

  TRY(const auto current_scores, scores_of(registry.versions, question.current, question.metric));
  MeasuredSlices slices;
  for (const Candidate& each : candidates) TRY_DO(slices.add(registry.blobs, each.manifest, current_scores));
  out.slices = slices.names();
  if (!out.slices.empty())
    out.mixture = drift::fit_mixture(slices.profiles(), live, kResamples, kSeed, question.ignored);
  std::vector<drift::Contender> contenders;
  for (const Candidate& each : candidates) {
    TRY(const auto scores, scores_of(registry.versions, each.version.ref, question.metric));
    contenders.push_back({each.version.ref.version.str(),
                          drift::profile_distance(each.training.profile, live, question.ignored),
                          out.slices.empty() ? std::vector<drift::SliceScore>() : slices.of(scores)});
    out.considered.push_back({each.version.ref, each.version.stage == "Archived", each.training.slices});
  }
  out.suggestion = drift::suggest(contenders, 0, out.mixture, live.rows, question.rules);
  return out;
}

}  // namespace backstay::services
