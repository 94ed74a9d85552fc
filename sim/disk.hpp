#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/random.hpp"
#include "services/drive_rollout.hpp"
#include "sim/boundary.hpp"
#include "sim/scenario.hpp"
#include "sim/timeline.hpp"
#include "sim/trace.hpp"
#include "storage/memory/memory_ledger.hpp"

namespace backstay::sim {

/// The store behind a commit queue that is slow, full, or cut off in the middle of a commit. What it holds outlives the
/// server.
class Disk {
 public:
  using OnCommit = std::function<void(const rollout::Transition&)>;
  Disk(const Scenario& scenario, Timeline& timeline, Random& random, Trace& trace, Boundary& boundary);

  MemoryLedger& ledger() { return ledger_; }
  void on_commit(OnCommit on_commit) { on_commit_ = std::move(on_commit); }

  /// `done` is told by the process that `owner` is the life of.
  void submit(const Timeline::Owner& owner, rollout::Transition transition, const std::string& model,
              services::CommitQueue::Done done);
  /// The process ended: a commit that was under way is durable or not.
  void cut_off();
  bool full() const { return in_trouble(DiskTrouble::Kind::kFull); }

 private:
  struct Commit {
    rollout::Transition transition;
    std::string model;
  };
  bool in_trouble(DiskTrouble::Kind kind) const;
  microseconds write_time();
  Result<void> write(const Commit& commit);

  const Scenario& scenario_;
  Timeline& timeline_;
  Random& random_;
  Trace& trace_;
  Boundary& boundary_;
  MemoryLedger ledger_;
  OnCommit on_commit_;
  std::optional<Commit> under_way_;
};

}  // namespace backstay::sim
