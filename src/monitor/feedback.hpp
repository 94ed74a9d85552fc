#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/time.hpp"
#include "monitor/inbox.hpp"
#include "monitor/status.hpp"
#include "monitor/task_thread.hpp"
#include "ports/predictions.hpp"

namespace backstay::monitor {

/// Joins labels, reports and conversions with the predictions that they are of, exactly once and durably, on a thread
/// of its own: the control loop never waits for a disk. Labels that wait together are stored together. All but the
/// destructor: on the loop's thread.
class Feedback {
 public:
  using OnJoined = std::function<void(Prediction prediction, const Label& label)>;
  using Done = std::function<void(Result<FeedbackResult>)>;

  /// `on_joined` and every Done are called on the loop's thread, through its inbox.
  Feedback(PredictionStore& store, Inbox& inbox, const Clock& clock, OnJoined on_joined);

  /// An answer that a label may come for.
  void remember(Prediction prediction);
  /// Joins them; what was remembered before is known by then.
  void take(std::vector<Label> labels, Done done);
  /// Time passes: what was remembered is stored.
  void tick() { store_remembered(); }
  /// Waits until everything is stored.
  void finish();

 private:
  struct Request {
    std::vector<Label> labels;
    Done done;
  };
  /// What the two threads share.
  struct Waiting {
    std::mutex mutex;
    std::vector<Request> requests;
    std::size_t unstored = 0;  ///< Predictions that are on their way to the store.
  };
  void store_remembered();
  Result<void> try_to_store();
  void label_waiting();
  void answer(const Request& request, std::vector<PredictionStore::Joined> joined);

  PredictionStore& store_;
  Inbox& inbox_;
  const Clock& clock_;
  OnJoined on_joined_;
  std::vector<Prediction> remembered_;
  std::vector<Prediction> unstored_;  ///< The thread's: what could not be stored so far.
  Waiting waiting_;
  TaskThread thread_;  // Last: it uses all of the above.
};

}  // namespace backstay::monitor
