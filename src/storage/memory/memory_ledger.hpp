#pragma once

#include <map>
#include <mutex>

#include "base/time.hpp"
#include "ports/gate_exceptions.hpp"
#include "ports/idempotency.hpp"
#include "ports/ledger.hpp"
#include "ports/lineage.hpp"
#include "ports/notifications.hpp"
#include "ports/releases.hpp"
#include "ports/signature_store.hpp"
#include "ports/version_search.hpp"

namespace backstay {

/// Versions, releases, lineage, rollouts and the audit log in memory, with the behaviour of the durable store: for
/// simulations and tests. Searching looks at every version and folds the case of ASCII only. Thread-safe.
class MemoryLedger : public VersionStore,
                     public ReleaseStore,
                     public InfrastructureStore,
                     public LineageStore,
                     public RolloutStore,
                     public AuditLog,
                     public SignatureStore,
                     public VersionSearch,
                     public IdempotencyStore,
                     public NotificationStore,
                     public GateExceptionStore {
 public:
  explicit MemoryLedger(const Clock& clock = system_clock()) : clock_(clock) {}

  Result<Registered> add_version(const NewVersion& version, const audit::Draft& draft) override;
  Result<StoredVersion> version(const registry::VersionRef& ref) const override;
  Result<std::vector<StoredVersion>> versions(const std::string& model) const override;
  Result<std::optional<registry::SemanticVersion>> greatest(
      const std::string& model, const std::optional<registry::SemanticVersion>& most) const override;
  Result<void> referenced_blobs(const std::function<void(const BlobReference&)>& each) const override;
  Result<registry::StoredScorecard> add_scorecard(const registry::VersionRef& ref, const registry::Scorecard& scorecard,
                                                  const audit::Draft& draft) override;
  Result<std::vector<registry::StoredScorecard>> scorecards(const registry::VersionRef& ref) const override;
  Result<StoredVerdict> add_verdict(const registry::VersionRef& ref, const StoredVerdict& verdict,
                                    const audit::Draft& draft) override;
  Result<std::vector<StoredVerdict>> verdicts(const registry::VersionRef& ref) const override;

  Result<void> move_stage(const registry::VersionRef& ref, const std::string& expected, const std::string& stage,
                          const audit::Draft& draft) override;
  Result<void> set_alias(const std::string& model, const std::string& name,
                         const std::optional<registry::SemanticVersion>& version,
                         const std::optional<registry::SemanticVersion>& expected, const audit::Draft& draft) override;
  Result<std::vector<Alias>> aliases(const std::string& model) const override;
  Result<std::vector<audit::Entry>> history(const std::string& model) const override;
  Result<void> declare(const std::vector<registry::Infrastructure>& items, const audit::Draft& draft) override;
  Result<std::vector<registry::Infrastructure>> infrastructure() const override;

  Result<std::uint32_t> serving_number(const std::string& endpoint, const registry::VersionRef& ref) override;
  Result<Serving> serving(std::uint32_t number) const override;
  Result<std::vector<registry::VersionRef>> made_from(const lineage::Subject& subject) const override;
  Result<std::vector<lineage::Subject>> find_subjects(const std::string& text) const override;
  Result<std::vector<registry::VersionRef>> children(const registry::VersionRef& ref) const override;
  Result<std::vector<TrafficWindow>> traffic(const registry::VersionRef& ref) const override;
  Result<void> quarantine(const lineage::Subject& subject, bool block, const audit::Draft& draft) override;
  Result<std::vector<Quarantine>> quarantines() const override;
  Result<StoredScan> add_scan(const registry::VersionRef& ref, const StoredScan& scan,
                              const audit::Draft& draft) override;
  Result<std::vector<StoredScan>> scans(const registry::VersionRef& ref) const override;
  Result<ScanException> add_scan_exception(const registry::VersionRef& ref, const ScanException& exception,
                                           const audit::Draft& draft) override;
  Result<std::vector<ScanException>> scan_exceptions(const registry::VersionRef& ref) const override;
  Result<GateException> add_gate_exception(const registry::VersionRef& ref, const GateException& exception,
                                           const audit::Draft& draft) override;
  Result<std::vector<GateException>> gate_exceptions(const registry::VersionRef& ref) const override;
  Result<SearchPage> search(const search::Query& query, const std::string& cursor, std::size_t limit) const override;

  Result<void> commit(const rollout::Transition& transition, const std::string& model,
                      std::optional<std::uint64_t> log_size = {}) override;
  Result<std::vector<rollout::State>> active_rollouts() const override;
  Result<std::vector<rollout::State>> rollouts(const std::string& endpoint, std::size_t limit) const override;
  Result<std::optional<EndpointRecord>> endpoint(const std::string& name) const override;
  Result<std::vector<EndpointRecord>> endpoints() const override;
  Result<std::uint64_t> next_rollout_number(const std::string& endpoint) const override;

  Result<audit::Entry> append(const audit::Draft& draft) override;
  Result<audit::Entry> append_batch(const std::vector<audit::Draft>& drafts) override;
  Result<std::uint64_t> size() const override;
  Result<std::vector<audit::Entry>> read(std::uint64_t from, std::size_t limit) const override;
  Result<Digest> tree_node(audit::NodeId node) const override;

  Result<StoredSignature> add_signature(const registry::VersionRef& ref, const StoredSignature& signature,
                                        const audit::Draft& draft) override;
  Result<std::vector<StoredSignature>> signatures(const registry::VersionRef& ref) const override;

  Result<std::optional<StoredAnswer>> answer(const std::string& key) const override;
  Result<void> remember(const std::string& key, const StoredAnswer& answer) override;

  Result<void> set_targets(const std::vector<Audience>& targets, std::uint64_t newest) override;
  Result<std::optional<ToldTarget>> target(const std::string& name) const override;
  Result<void> set_told_up_to(const std::string& target, std::uint64_t sequence) override;
  Result<void> set_trouble(const std::string& target, const std::optional<Trouble>& trouble) override;
  Result<std::vector<ToldTarget>> targets() const override;
  Result<void> bury(const DeadLetter& letter) override;
  Result<std::vector<DeadLetter>> dead_letters(const std::string& target) const override;
  Result<std::uint64_t> make_due(const std::string& target, Timestamp now) override;
  Result<void> remove(const std::string& target, std::uint64_t sequence) override;

 private:
  void move_on(const std::string& target, std::uint64_t sequence);
  struct Held {
    StoredVersion version;
    std::vector<registry::StoredScorecard> scorecards;
    std::vector<StoredVerdict> verdicts;
    std::vector<StoredSignature> signatures;     ///< Newest first, as the verdicts.
    std::vector<StoredScan> scans;               ///< Newest first.
    std::vector<ScanException> scan_exceptions;  ///< Newest first.
    std::vector<GateException> gate_exceptions;  ///< Newest first.
  };
  /// Where an endpoint's traffic goes since when.
  struct Traffic {
    std::string endpoint;
    std::string model;
    std::string rollout;
    traffic::Split split;
    Timestamp from;
  };
  struct Blocked {
    Quarantine quarantine;
    bool blocked = true;
  };
  void record_traffic(const rollout::State& state, const std::string& model);
  void insert_scan(Held& held, StoredScan scan);
  const audit::Entry& append_locked(const audit::Draft& draft);
  Result<const Held*> find(const registry::VersionRef& ref) const;
  Result<Held*> find(const registry::VersionRef& ref);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<Held> versions_;
  std::vector<audit::Entry> audit_;
  mutable audit::CompactRange edge_;                ///< Of the entries that nodes_ covers: it is built when it is read.
  mutable std::vector<std::vector<Digest>> nodes_;  ///< By level.
  std::map<std::string, EndpointRecord> endpoints_;
  std::map<std::string, std::vector<rollout::State>> rollouts_;   ///< By endpoint, oldest first.
  std::map<std::pair<std::string, std::string>, Alias> aliases_;  ///< By model and name.
  std::vector<registry::Infrastructure> infrastructure_;
  std::vector<Serving> servings_;  ///< Number n is at n - 1.
  std::vector<Traffic> traffic_;
  std::vector<Blocked> quarantines_;
  std::map<std::string, std::string> models_;  ///< Of endpoints that had a rollout.
  std::map<std::string, std::pair<Timestamp, StoredAnswer>> answers_;
  std::map<std::string, ToldTarget> told_;
  std::map<std::pair<std::string, std::uint64_t>, DeadLetter> dead_letters_;
  std::int64_t next_id_ = 1;
};

}  // namespace backstay
