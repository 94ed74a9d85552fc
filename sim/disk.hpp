#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "base/random.hpp"
#include "services/drive_rollout.hpp"
#include "services/records.hpp"
#include "sim/boundary.hpp"
#include "sim/scenario.hpp"
#include "sim/timeline.hpp"
#include "sim/trace.hpp"
#include "storage/memory/memory_ledger.hpp"

namespace backstay::sim {

/// The store behind the thread that stores: one thing after the other, slow, full, or cut off in the middle of a
/// commit. What it holds outlives the server.
class Disk {
 public:
  using OnCommit = std::function<void(const rollout::Transition&)>;
  Disk(const Scenario& scenario, Timeline& timeline, Random& random, Trace& trace, Boundary& boundary);

  MemoryLedger& ledger() { return ledger_; }
  services::Records records() { return services::records_of(ledger_); }
  /// Takes no entries while the disk is full.
  AuditLog& log() { return log_; }
  void on_commit(OnCommit on_commit) { on_commit_ = std::move(on_commit); }

  /// `done` is told by the process that `owner` is the life of. A release is checked once more where it is stored.
  void submit(const Timeline::Owner& owner, rollout::Transition transition, const std::string& model,
              services::CommitQueue::Done done);
  /// Something else that waits for the store, in order.
  void post(const Timeline::Owner& owner, std::function<void()> task);
  /// The process ended: a commit that was under way is durable or not.
  void cut_off();
  bool full() const { return in_trouble(DiskTrouble::Kind::kFull); }

 private:
  struct Commit {
    rollout::Transition transition;
    std::string model;
    services::CommitQueue::Done done;
  };
  struct Work {
    Timeline::Owner owner;
    std::optional<Commit> commit;
    std::function<void()> task;  ///< In place of a commit.
  };
  /// The log of a disk that may be full.
  class Log : public AuditLog {
   public:
    explicit Log(Disk& disk) : disk_(disk) {}
    Result<audit::Entry> append(const audit::Draft& draft) override;
    Result<audit::Entry> append_batch(const std::vector<audit::Draft>& drafts) override;
    Result<std::uint64_t> size() const override { return disk_.ledger_.size(); }
    Result<std::vector<audit::Entry>> read(std::uint64_t from, std::size_t limit) const override {
      return disk_.ledger_.read(from, limit);
    }
    Result<Digest> tree_node(audit::NodeId node) const override { return disk_.ledger_.tree_node(node); }

   private:
    Disk& disk_;
  };
  void add(const VersionScript& script);
  void push(Work work);
  void begin_next();
  void do_next();
  void commit(const Timeline::Owner& owner, const Commit& commit);
  bool in_trouble(DiskTrouble::Kind kind) const;
  microseconds write_time();
  Result<void> write(const Commit& commit);

  const Scenario& scenario_;
  Timeline& timeline_;
  Random& random_;
  Trace& trace_;
  Boundary& boundary_;
  MemoryLedger ledger_;
  Log log_{*this};
  OnCommit on_commit_;
  std::deque<Work> queue_;  ///< The front is being done.
};

}  // namespace backstay::sim
