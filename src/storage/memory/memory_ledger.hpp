#pragma once

#include <map>
#include <mutex>

#include "base/time.hpp"
#include "ports/ledger.hpp"

namespace backstay {

/// Versions, rollouts and the audit log in memory, with the behaviour of the durable store: for simulations and tests.
/// Thread-safe.
class MemoryLedger : public VersionStore, public RolloutStore, public AuditLog {
 public:
  explicit MemoryLedger(const Clock& clock = system_clock()) : clock_(clock) {}

  Result<Registered> add_version(const NewVersion& version, const audit::Draft& draft) override;
  Result<StoredVersion> version(const registry::VersionRef& ref) const override;
  Result<std::vector<StoredVersion>> versions(const std::string& model) const override;
  Result<registry::StoredScorecard> add_scorecard(const registry::VersionRef& ref, const registry::Scorecard& scorecard,
                                                  const audit::Draft& draft) override;
  Result<std::vector<registry::StoredScorecard>> scorecards(const registry::VersionRef& ref) const override;
  Result<StoredVerdict> add_verdict(const registry::VersionRef& ref, const StoredVerdict& verdict,
                                    const audit::Draft& draft) override;
  Result<std::vector<StoredVerdict>> verdicts(const registry::VersionRef& ref) const override;

  Result<void> commit(const rollout::Transition& transition, const std::string& model) override;
  Result<std::vector<rollout::State>> active_rollouts() const override;
  Result<std::vector<rollout::State>> rollouts(const std::string& endpoint, std::size_t limit) const override;
  Result<std::optional<EndpointRecord>> endpoint(const std::string& name) const override;
  Result<std::uint64_t> next_rollout_number(const std::string& endpoint) const override;

  Result<audit::Entry> append(const audit::Draft& draft) override;
  Result<std::uint64_t> size() const override;
  Result<std::vector<audit::Entry>> read(std::uint64_t from, std::size_t limit) const override;

 private:
  struct Held {
    StoredVersion version;
    std::vector<registry::StoredScorecard> scorecards;
    std::vector<StoredVerdict> verdicts;
  };
  const audit::Entry& append_locked(const audit::Draft& draft);
  Result<const Held*> find(const registry::VersionRef& ref) const;
  Result<Held*> find(const registry::VersionRef& ref);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<Held> versions_;
  std::vector<audit::Entry> audit_;
  std::map<std::string, EndpointRecord> endpoints_;
  std::map<std::string, std::vector<rollout::State>> rollouts_;  ///< By endpoint, oldest first.
  std::int64_t next_id_ = 1;
};

}  // namespace backstay
