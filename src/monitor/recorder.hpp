#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "monitor/task_thread.hpp"
#include "monitor/threads.hpp"
#include "ports/recordings.hpp"

namespace backstay::monitor {

/// Records what one endpoint's guardrails are shown. The control loop's thread calls it and never waits for a disk: a
/// thread of the recorder writes, and a recording ends early rather than let memory grow when the disk can't keep up.
class Recorder {
 public:
  /// `store` may be nullptr: nothing is recorded then. `policy`: wire::to_json of the endpoint's guardrails. `writes`:
  /// who does what waits for the store, in order; empty: a thread of the recorder's own.
  Recorder(RecordingStore* store, std::string policy, Threads::Post writes = {})
      : store_(store), policy_(std::move(policy)), writes_(std::move(writes)) {}

  /// Shown to the guardrails of this rollout. The first of a rollout begins its recording.
  void show(const std::string& rollout, const Observation& observation, Monotonic now);
  /// After a restart the rollout goes on with what is in its recording.
  void resume(const std::string& rollout);
  /// Something was decided: what led to it is written at once.
  void decided();
  /// Time passes: what has waited for a fifth of a second is written. `rollout`: the one that is under way; empty: none
  /// is, and the recording ends.
  void tick(const std::string& rollout, Monotonic now);
  /// Waits until everything is written. A rollout that is under way is gone on with by the next process.
  void finish();

 private:
  /// Of one recording; its tasks on the thread share it.
  struct Progress {
    std::atomic<std::size_t> unwritten{0};
    std::atomic<bool> failed{false};  ///< Something is missing: what follows a gap can't be replayed.
  };
  void begin(const std::string& rollout, bool resumed);
  void flush();
  void end();
  void write(std::function<void()> task);

  RecordingStore* store_;
  std::string policy_;
  Threads::Post writes_;
  std::string rollout_;  ///< That is being recorded; empty: none.
  std::shared_ptr<Progress> progress_;
  std::vector<Observation> waiting_;
  Monotonic oldest_;                    ///< Of what is waiting.
  std::unique_ptr<TaskThread> thread_;  ///< Made with the first recording, when `writes_` is empty.
};

}  // namespace backstay::monitor
