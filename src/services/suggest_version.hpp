#pragma once

#include "domain/drift/suggestion.hpp"
#include "domain/registry/metric_scale.hpp"
#include "services/check_rollout.hpp"
#include "services/live_rows.hpp"
#include "services/profiles.hpp"
#include "services/records.hpp"

namespace backstay::services {

struct SuggestQuestion {
  std::string endpoint;  ///< Whose history counts; empty: of no endpoint.
  registry::VersionRef current;
  std::string metric;                      ///< Empty: accuracy, where that was measured.
  std::optional<registry::Better> better;  ///< Of the metric, as somebody says; nothing: as its name tells.
  drift::SuggestionRules rules;            ///< Direction and scale are those of the metric, whatever stands here.
  ReleaseRules release;                    ///< What the endpoint asks of versions.
  std::set<std::string> ignored;
  bool know_ignored = false;  ///< Columns of `ignored` must be there, on one side (check_ignored).
};

/// A version that was looked at.
struct Considered {
  registry::VersionRef ref;
  bool archived = false;
  std::vector<std::string> slices;  ///< That it was trained on, of those with a profile.
};

struct Advice {
  registry::VersionRef current;
  std::string metric;
  registry::MetricScale scale;         ///< Of the metric.
  drift::Suggestion suggestion;        ///< Contenders are indices into `considered`.
  std::vector<Considered> considered;  ///< The current version first.
  std::vector<std::string> slices;     ///< Of the mixture, by name, with
  drift::Mixture mixture;
  struct Excluded {
    registry::VersionRef ref;
    std::string why;
  };
  std::vector<Excluded> excluded;  ///< Versions that could not be released.
  std::uint64_t live_rows = 0;
  std::string note;  ///< Why scores that are there could not be used; empty: nothing to say.
};

/// Ranks the model's versions that could be released (check_eligible) and have profiles by what they can be expected to
/// do on data like `live`: the live data is taken as a mixture of the slices on which the current version was measured,
/// and each version's metric on them is weighted accordingly. A metric is about a slice when its scorecard is about the
/// slice's data set and its group is the slice's name or, of a slice that was cut by a column, COLUMN=VALUE as
/// `backstay evaluate` writes it; or when its group is DATA_SET/SLICE. kNotFound when a metric was asked for that no
/// scorecard has, kInvalidArgument when whether more or less of it is better is not known, or when it is no mean over
/// rows (registry::Pooling).
Result<Advice> suggest_version(const Registry& registry, const Records& records, const SuggestQuestion& question,
                               const drift::Profile& live);

}  // namespace backstay::services
