#pragma once

#include <filesystem>
#include <memory>

#include "base/time.hpp"
#include "ports/ledger.hpp"

namespace backstay {

/// Versions, rollouts and the audit log in one SQLite file. Thread-safe; several processes may share the file. A call
/// that returns success is on disk.
class SqliteLedger : public VersionStore, public RolloutStore, public AuditLog {
 public:
  /// Makes or migrates the database. See sqlite::migrate for what is refused.
  static Result<std::unique_ptr<SqliteLedger>> open(const std::filesystem::path& path,
                                                    const Clock& clock = system_clock());
  ~SqliteLedger() override;

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
  struct Impl;
  explicit SqliteLedger(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace backstay
