#pragma once

#include <vector>

#include "domain/registry/live_models.hpp"
#include "services/choose_return.hpp"

namespace backstay::services {

/// The versions that the configured endpoints serve, and those that rollouts under way move them to.
Result<std::vector<registry::LiveModel>> live_models(const Records& records);

/// A version somewhere else that needed the one that was rolled back.
struct Dependent {
  std::string endpoint;
  std::string version;
  bool candidate = false;  ///< It is in a rollout, which goes back to `stable`. False: it is what the endpoint serves.
  std::string reason;      ///< A sentence: what it needs, what is live, since which rollout.
  std::string evidence;    ///< JSON.
  ReturnChoice target;     ///< Of one that is served: where the endpoint can return to, if anywhere.
  std::string because_of;  ///< The rollout that left what it needs.
  bool unknown = false;    ///< What it needs could not be read: `reason` says why. Nobody knows whether it is lost.
};

/// What would be missing elsewhere once `candidate` is what `endpoint` serves: a sentence for each version, served or
/// on its way, that needs what serves there now, and finds it nowhere else.
Result<std::vector<std::string>> needs_that_end(const Records& records, const std::string& endpoint,
                                                const registry::VersionRef& candidate);

/// What an endpoint asks of a version beyond what is asked everywhere.
using RulesOf = std::function<ReleaseRules(const std::string& endpoint)>;

/// What a rollback pulls the ground from: versions on other endpoints that need the model in a version that it has left
/// (`ended`: rolled back, or returned to a version before) and that is now live nowhere. What was unmet before that is
/// not its doing. Endpoints that the configuration doesn't name are left out; one whose records can't be read doesn't
/// keep the others from being found. `rules_of` may be empty.
Result<std::vector<Dependent>> find_dependents(const Records& records, const rollout::State& ended,
                                               const RulesOf& rules_of, const IsWarm& is_warm);

}  // namespace backstay::services
