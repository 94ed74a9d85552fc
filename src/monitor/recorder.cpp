#include "monitor/recorder.hpp"

#include <fmt/format.h>

#include <utility>

namespace backstay::monitor {

namespace {

constexpr std::size_t kAtOnce = 4'096;
constexpr std::size_t kMostUnwritten = 512 * 1024;  // Some 70 MB.
constexpr seconds kLongest{1};

}  // namespace

void Recorder::show(const std::string& rollout, const Observation& observation, Monotonic now) {
  if (store_ == nullptr) return;
  if (rollout_ != rollout) begin(rollout);
  if (waiting_.empty()) oldest_ = now;
  waiting_.push_back(observation);
  if (waiting_.size() >= kAtOnce) flush();
}

void Recorder::decided() {
  if (!rollout_.empty()) flush();
}

void Recorder::tick(const std::string& rollout, Monotonic now) {
  if (rollout_.empty()) return;
  if (rollout != rollout_) return end();
  if (!waiting_.empty() && now - oldest_ >= kLongest) flush();
}

void Recorder::finish() {
  if (!thread_) return;
  decided();
  thread_->finish();
}

void Recorder::begin(const std::string& rollout) {
  end();
  rollout_ = rollout;
  *broken_ = false;
  if (!thread_) thread_ = std::make_unique<TaskThread>();
  thread_->post([store = store_, rollout, policy = policy_, broken = broken_] {
    if (!store->begin(rollout, policy)) *broken = true;
  });
}

void Recorder::flush() {
  std::vector<Observation> observations = std::exchange(waiting_, {});
  waiting_.reserve(kAtOnce);
  if (*broken_) return;  // What follows a gap can't be replayed.
  if (*unwritten_ + observations.size() > kMostUnwritten) {
    *broken_ = true;
    thread_->post([store = store_, rollout = rollout_] {
      static_cast<void>(store->end(rollout, "The disk could not keep up with the traffic."));
    });
    return;
  }
  *unwritten_ += observations.size();
  thread_->post([store = store_, rollout = rollout_, observations = std::move(observations), unwritten = unwritten_,
                 broken = broken_] {
    if (!*broken && !store->append(rollout, observations)) *broken = true;
    *unwritten -= observations.size();
  });
}

void Recorder::end() {
  if (rollout_.empty()) return;
  flush();
  thread_->post(
      [store = store_, rollout = std::exchange(rollout_, {})] { static_cast<void>(store->end(rollout, "")); });
}

}  // namespace backstay::monitor
