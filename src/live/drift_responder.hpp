#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "domain/registry/metric_scale.hpp"
#include "monitor/monitor.hpp"
#include "ports/live_windows.hpp"
#include "services/check_rollout.hpp"
#include "services/records.hpp"
#include "services/registry.hpp"

namespace backstay::live {

/// 20% of the requests for 10 minutes and 500 answers.
rollout::Step usual_shadow();

/// What becomes of drift on an endpoint by itself.
struct ResponsePolicy {
  enum class Act : std::uint8_t {
    kNone,
    kSuggest,  ///< A better version is named in the audit log, and so to whoever is notified.
    kRollout,  ///< It is also released: a shadow step, then the endpoint's own steps.
  };
  std::string endpoint;
  Act act = Act::kNone;
  std::string metric;                      ///< Empty: accuracy, where that was measured.
  std::optional<registry::Better> better;  ///< Of the metric; nothing: as its name tells.
  std::set<std::string> ignored;
  rollout::Plan plan;  ///< The endpoint's.
  rollout::Step shadow = usual_shadow();
  milliseconds look_back{6 * 3'600'000};  ///< How much live data is looked at.
  milliseconds pause{24 * 3'600'000};     ///< Between two rollouts by itself.
};

/// Answers drift under the endpoint's policy: looks for a version that fits the live data clearly better
/// (services/suggest_version.hpp), records it ("drift.suggestion"), and, when the policy says so, starts its rollout in
/// the way that people do: the same checks, the same guardrails, audited as backstay's own decision. A rollout that is
/// under way is never disturbed. Called from one thread.
class DriftResponder {
 public:
  struct Ports {
    services::Registry registry;
    services::Records records;
    const LiveWindowStore& windows;
    monitor::Monitor& monitor;
    const Clock& clock;
    /// What an endpoint asks of versions.
    std::function<services::ReleaseRules(const std::string& endpoint)> release_rules;
  };
  DriftResponder(Ports ports, std::vector<ResponsePolicy> policies);

  /// `version` of the endpoint has drifted.
  void respond(const std::string& endpoint, const std::string& version);

 private:
  struct State {
    ResponsePolicy policy;
    std::optional<std::string> suggested;  ///< Last; empty: nothing. The same is not said twice.
    std::optional<Monotonic> started;
  };
  Result<void> look(State& state, const std::string& version);
  Result<void> release(State& state, const registry::VersionRef& best, const std::string& reason);

  Ports ports_;
  std::map<std::string, State> endpoints_;
};

/// The endpoint's plan with the shadow step before it, unless it begins with one.
rollout::Plan cautious_plan(const rollout::Plan& plan, const rollout::Step& shadow);

}  // namespace backstay::live
