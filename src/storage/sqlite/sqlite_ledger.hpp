#pragma once

#include <filesystem>
#include <memory>

#include "base/time.hpp"
#include "ports/gate_exceptions.hpp"
#include "ports/idempotency.hpp"
#include "ports/ledger.hpp"
#include "ports/lineage.hpp"
#include "ports/notifications.hpp"
#include "ports/record_check.hpp"
#include "ports/releases.hpp"
#include "ports/signature_store.hpp"
#include "ports/version_search.hpp"

namespace backstay {

/// Versions, releases, lineage, rollouts and the audit log in one SQLite file. Thread-safe; several processes may share
/// the file. A call that returns success is on disk.
class SqliteLedger : public VersionStore,
                     public ReleaseStore,
                     public InfrastructureStore,
                     public LineageStore,
                     public RolloutStore,
                     public AuditLog,
                     public RecordCheck,
                     public SignatureStore,
                     public VersionSearch,
                     public IdempotencyStore,
                     public NotificationStore,
                     public GateExceptionStore {
 public:
  /// Makes or migrates the database. See sqlite::migrate for what is refused.
  static Result<std::unique_ptr<SqliteLedger>> open(const std::filesystem::path& path,
                                                    const Clock& clock = system_clock());
  ~SqliteLedger() override;

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
  struct SearchTuning {
    /// So many versions are looked at one by one and sorted without thought; a condition that leaves more of them is
    /// worth no more than its order.
    int few = 2000;
    /// A search holds the ledger: what takes longer is given up.
    milliseconds patience{2000};
  };
  /// Before the ledger is shared.
  void tune_search(const SearchTuning& tuning);
  Result<SearchPage> search(const search::Query& query, const std::string& cursor, std::size_t limit) const override;
  /// How SQLite finds the first page, a line per step: for measurements and tests.
  Result<std::string> explain_search(const search::Query& query) const;

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

  Result<std::vector<RecordProblem>> check_records() const override;
  /// `copy` is the path of another registry.db.
  Result<std::uint64_t> missing_beside(const std::string& copy) const override;
  Result<void> repair_records(const std::string& copy, const std::string& actor) override;
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
  struct Impl;
  explicit SqliteLedger(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace backstay
