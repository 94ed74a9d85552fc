#include "monitor/recorder.hpp"

#include <fmt/format.h>

#include <utility>

namespace backstay::monitor {

namespace {

constexpr std::size_t kAtOnce = 4'096;
constexpr std::size_t kMostUnwritten = 512 * 1024;  // Some 70 MB.
constexpr milliseconds kLongest{200};               // A server that keeps dying should have seen something.

}  // namespace

void Recorder::show(const std::string& rollout, const Observation& observation, Monotonic now) {
  if (store_ == nullptr) return;
  if (rollout_ != rollout) begin(rollout, false);
  if (waiting_.empty()) oldest_ = now;
  waiting_.push_back(observation);
  if (waiting_.size() >= kAtOnce) flush();
}

void Recorder::resume(const std::string& rollout) {
  if (store_ != nullptr) begin(rollout, true);
}

void Recorder::decided() {
  if (!rollout_.empty()) flush();
}

void Recorder::tick(const std::string& rollout, Monotonic now) {
  if (rollout_.empty()) return;
  if (rollout != rollout_) return end();
  if (!waiting_.empty() && now - oldest_ >= kLongest) flush();
}

void Recorder::write(std::function<void()> task) {
  if (writes_) return writes_(std::move(task));
  if (!thread_) thread_ = std::make_unique<TaskThread>();
  thread_->post(std::move(task));
}

void Recorder::finish() {
  if (!rollout_.empty()) {
    flush();
    write([store = store_, rollout = rollout_, progress = progress_] {
      if (!progress->failed) static_cast<void>(store->suspend(rollout));
    });
  }
  if (thread_) thread_->finish();
}

void Recorder::begin(const std::string& rollout, bool resumed) {
  end();
  rollout_ = rollout;
  progress_ = std::make_shared<Progress>();
  write([store = store_, rollout, policy = policy_, resumed, progress = progress_] {
    if (!(resumed ? store->resume(rollout) : store->begin(rollout, policy))) progress->failed = true;
  });
}

void Recorder::flush() {
  std::vector<Observation> observations = std::exchange(waiting_, {});
  waiting_.reserve(kAtOnce);
  if (progress_->unwritten + observations.size() > kMostUnwritten) progress_->failed = true;
  if (progress_->failed) return;
  progress_->unwritten += observations.size();
  write([store = store_, rollout = rollout_, observations = std::move(observations), progress = progress_] {
    if (!progress->failed && !store->append(rollout, observations)) progress->failed = true;
    progress->unwritten -= observations.size();
  });
}

void Recorder::end() {
  if (rollout_.empty()) return;
  flush();
  write([store = store_, rollout = std::exchange(rollout_, {}), progress = progress_] {
    const char* why = progress->failed ? "Something could not be written, or not as fast as it came." : "";
    static_cast<void>(store->end(rollout, why));
  });
}

}  // namespace backstay::monitor
