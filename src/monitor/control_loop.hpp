#pragma once

#include <thread>
#include <utility>

#include "monitor/backend_care.hpp"
#include "monitor/dependent_releases.hpp"
#include "monitor/feedback.hpp"
#include "monitor/inbox.hpp"
#include "monitor/monitor.hpp"
#include "monitor/stand_in.hpp"
#include "monitor/task_thread.hpp"
#include "monitor/watched_endpoint.hpp"
#include "services/drive_rollout.hpp"

namespace backstay::monitor {

/// The monitor's thread and what it owns: everything happens in turns of run(). Other threads hand it work through the
/// inbox; disks and supervisors are waited for on threads of their own. inbox(), order(), start() and stop() from any
/// thread.
class Monitor::Loop : public services::RolloutWorld, public services::CommitQueue {
 public:
  Loop(Ports ports, const std::vector<EndpointConfig>& configs);
  ~Loop() override { stop(); }

  Result<void> start();
  void stop();

  Inbox& inbox() { return inbox_; }

  /// Has the loop's thread act on an endpoint; the future is what the driver answers, once.
  template <class Act>
  std::future<Result<void>> order(const std::string& endpoint, Condition condition, Act act) {
    const auto promise = std::make_shared<std::promise<Result<void>>>();
    inbox_.post([this, endpoint, condition = std::move(condition), act = std::move(act), promise] {
      auto found = config(endpoint);
      if (!found) return promise->set_value(Unexpected(std::move(found).error()));
      if (condition) {
        if (auto holds = condition(deployment(endpoint)); !holds) return promise->set_value(std::move(holds));
      }
      act(driver_, **found, [promise](Result<void> result) { promise->set_value(std::move(result)); });
    });
    return promise->get_future();
  }

  // --- on the loop's thread ---

  Result<const EndpointConfig*> config(const std::string& name) const;
  Deployment deployment(const std::string& endpoint) const;
  /// Of the rollout under way; see monitor/little_traffic.hpp.
  std::vector<std::string> little_traffic(const std::string& endpoint);
  void take_status(const BackendStatus& status) { backends_.take(status); }

  void tell_when_ready(std::function<void()> tell);
  void take_labels(std::vector<Label> labels, Feedback::Done done);
  Status report();

  // RolloutWorld
  void set_traffic(const std::string& endpoint, const traffic::Split& split) override;
  void ensure_backend(const std::string& endpoint, const std::string& version) override;
  void release_backend(const std::string& endpoint, const std::string& version) override;
  void reset_guardrails(const std::string& name) override;
  void rearm_guardrails(const std::string& name) override;
  void restore_guardrails(const std::string& name) override;

  // CommitQueue
  void submit(const rollout::Transition& transition, const std::string& model, Done done) override;

 private:
  void tell_if_ready();
  /// The decision is durable, since now or since before this start: what follows from it elsewhere.
  void follow(const rollout::State& state, bool again);
  AfterRollout after_rollout();

  WatchedEndpoint& find(const std::string& name);
  void run();
  void pause(bool busy, Monotonic next_tick);
  bool anything_under_way() const;
  std::size_t drain();
  void take(const traffic::Outcome& outcome);

  /// Whose label may come. What was no draw of the split between two versions (the fallback's answers, and stable's
  /// while requests are mirrored) has no chance to bet on.
  void remember(const WatchedEndpoint& endpoint, const std::string& version, const traffic::Outcome& outcome);
  void take_feedback(Prediction prediction, const Label& label);
  /// What an examiner says of an answer.
  void take_verdict(const traffic::Outcome& outcome, std::size_t examiner, double verdict);
  void watch_errors(WatchedEndpoint& endpoint, const std::string& version, const traffic::Outcome& outcome,
                    double label);
  void start_examiners();
  void stand_still(const std::string& name, const std::string& trouble);
  /// A sentence when what a rollback leads to is in no state to serve; else empty.
  std::string not_ready(const rollout::State& state) const;
  void show(WatchedEndpoint& endpoint, const rollout::State& state, const Observation& observation);
  void breached(WatchedEndpoint& endpoint, const guardrails::Evidence& evidence);
  /// By what an earlier process saw. Whether it did what the guardrail asks for is in the log.
  void breached_before(const std::string& name, const std::string& rollout, const guardrails::Evidence& evidence);

  /// Whether candidates' backends are where their rollouts need them.
  void check_candidates();
  void tick();
  void record_progress(WatchedEndpoint& endpoint);

  Ports ports_;
  Inbox inbox_;
  gateway::RoutingDirectory directory_;
  std::vector<WatchedEndpoint> endpoints_;
  services::RolloutDriver driver_;
  std::function<void()> when_ready_;
  std::size_t commits_ = 0;
  bool stopping_ = false;
  std::thread thread_;
  // They post to the inbox: gone before it.
  BackendCare backends_;
  Feedback feedback_;
  TaskThread commit_thread_;
  DependentReleases dependents_;
  StandIn stand_in_;
  std::unique_ptr<Examiners> examiners_;  ///< From start() on; posts to the inbox.
};

}  // namespace backstay::monitor
