#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "sim/release_checker.hpp"
#include "sim/server.hpp"
#include "sim/world.hpp"

namespace backstay::sim {

/// What an operator asked for and what an answer of "ok" promises about it.
struct OrderRecord {
  OperatorOrder order;
  unsigned number = 0;
  std::string rollout;         ///< That the order was about, when it was given.
  std::uint64_t revision = 0;  ///< Of that rollout, as decided when the order had been handled.
  bool takes_back = false;     ///< A rollback of a rollout that was under way;
  std::string leaves;          ///< or of a release that is over: the version that is to be left.
  std::optional<Result<void>> answer;
};

/// Watches one endpoint and fails the run at the first broken promise. It keeps its own account of what is durable,
/// from what the disk wrote, and never asks the driver what the truth is.
class Checker : public ServerWatcher {
 public:
  Checker(World& world, std::string endpoint)
      : world_(world), endpoint_(std::move(endpoint)), record_{endpoint_, endpoint_, "", ""} {}

  // What happens, in order.
  void life_begins(const Server& server);
  void loaded();
  void committed(const rollout::Transition& transition);
  void traffic_set(const traffic::Split& split, bool loading) override;
  void backend_ensured(const std::string& version) override { wanted_.insert(version); }
  void backend_released(const std::string& version) override;
  void breached(const std::string& rollout_id) override;
  void guardrails_reset() override { bad_seen_ = 0; }
  void guardrails_restored(std::uint64_t bad) override { bad_seen_ = std::min(bad_seen_, bad); }
  void served(const traffic::Split& table, const std::string& version, bool bad) override;
  void feedback_counted(const traffic::PredictionId& id, FeedbackKind kind) override;
  void answered(const OrderRecord& record);
  void promoted_by_hand() { by_hand_ = true; }
  /// After each event in which the server didn't end.
  void after_event();
  void life_ends();
  void settled();
  [[noreturn]] void fail(const std::string& promise, const std::string& what) const;

  /// The newest rollout that is durable; nullptr: none yet.
  const rollout::State* newest() const { return order_.empty() ? nullptr : &durable_.at(order_.back()); }
  const EndpointRecord& record() const { return record_; }
  std::uint64_t served_by(const std::string& version) const {
    const auto found = served_.find(version);
    return found == served_.end() ? 0 : found->second;
  }
  const std::map<std::string, rollout::State>& durable() const { return durable_; }

 private:
  /// Whether a guardrail of its own finds this version soon: it misses an objective by far.
  bool is_found_soon(const std::string& version) const;
  void check_replays() const;
  void check_audit(const rollout::Transition& transition);
  void check_explained(const traffic::Split& split);
  void check_decision(const rollout::State& before, const rollout::State& now);
  void check_shown();
  void check_rollback_is_stored(const rollout::State* latest);

  World& world_;
  std::string endpoint_;
  const Server* server_ = nullptr;
  std::map<std::string, rollout::State> durable_;
  std::vector<std::string> order_;  ///< Ids, oldest first.
  EndpointRecord record_;
  std::optional<audit::Entry> last_entry_;
  // Of this life:
  traffic::Split split_;
  std::set<std::string> wanted_;           ///< Backends that were asked for and not released.
  std::size_t traffic_entries_ = 0;        ///< Audit entries that allow a change of traffic which has not come yet.
  std::optional<rollout::State> decided_;  ///< The driver's latest, as of the last event.
  std::optional<microseconds> store_rollback_by_;
  bool by_hand_ = false;
  microseconds entered_{0};                      ///< When the step that the rollout is in began, or this life.
  std::map<std::string, std::uint64_t> served_;  ///< Requests, by version.
  std::uint64_t bad_seen_ = 0;                   ///< Bad answers of the candidate since its evidence began.
  std::set<std::tuple<std::uint64_t, std::uint64_t, int>> counted_;  ///< Feedback that was evidence; outlives servers.
};

}  // namespace backstay::sim
