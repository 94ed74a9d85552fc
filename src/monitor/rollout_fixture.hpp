#pragma once

#include <deque>
#include <utility>

#include "services/drive_rollout.hpp"

/// For tests of what follows from rollouts, turn by turn.
namespace backstay::monitor {

class TestClock : public Clock {
 public:
  Timestamp now() const override { return Timestamp(at); }
  Monotonic monotonic() const override { return Monotonic(at); }
  microseconds at{std::chrono::hours(1'000)};
};

/// A world in which nothing happens but decisions, and a store that is done with them when the test says so.
class DecidedWorld : public services::RolloutWorld, public services::CommitQueue {
 public:
  void set_traffic(const std::string&, const traffic::Split&) override {}
  void ensure_backend(const std::string&, const std::string&) override {}
  void release_backend(const std::string&, const std::string&) override {}
  void reset_guardrails(const std::string&) override {}
  void rearm_guardrails(const std::string&) override {}
  void restore_guardrails(const std::string&) override {}
  void submit(const rollout::Transition&, const std::string&, Done done) override { queue_.push_back(std::move(done)); }
  void commit_all() {
    while (!queue_.empty()) {
      const Done done = std::move(queue_.front());
      queue_.pop_front();
      done(full ? Result<void>(Unexpected(ErrorCode::kResourceExhausted, "The disk is full.")) : Result<void>());
    }
  }
  bool full = false;  ///< The store's disk.

 private:
  std::deque<Done> queue_;
};

}  // namespace backstay::monitor
