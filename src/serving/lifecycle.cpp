#include "serving/lifecycle.hpp"

#include <algorithm>

namespace backstay::serving {

namespace {

constexpr unsigned kStartAttempts = 5;
constexpr unsigned kFailedProbes = 3;
constexpr milliseconds kFirstDelay{500};
constexpr milliseconds kLongestDelay{30'000};
constexpr milliseconds kUnhealthyLimit{10'000};
constexpr seconds kSettled{60};

milliseconds delay_after(unsigned failures) {
  return std::min(kLongestDelay, kFirstDelay * (1 << std::min(failures - 1, 6u)));
}

}  // namespace

void Lifecycle::started(Monotonic now) {
  if (state_ == BackendState::kBackingOff) ++restarts_;
  state_ = BackendState::kStarting;
  since_ = now;
  ready_this_time_ = false;
  failed_probes_ = 0;
}

Order Lifecycle::probed(bool healthy, Monotonic now) {
  if (state_ != BackendState::kStarting && state_ != BackendState::kReady && state_ != BackendState::kUnhealthy)
    return Order::kNone;
  if (healthy) {
    failed_probes_ = 0;
    if (state_ != BackendState::kReady) since_ = now;
    state_ = BackendState::kReady;
    ever_ready_ = ready_this_time_ = true;
    return Order::kNone;
  }
  if (state_ == BackendState::kReady && ++failed_probes_ >= kFailedProbes) {
    state_ = BackendState::kUnhealthy;
    since_ = now;
  }
  return Order::kNone;
}

void Lifecycle::exited(Monotonic now) {
  if (state_ == BackendState::kReady && now - since_ >= kSettled) failures_ = 0;
  ++failures_;
  const bool hopeless = !ever_ready_ && (timed_out_ || failures_ >= kStartAttempts);
  state_ = hopeless ? BackendState::kFailed : BackendState::kBackingOff;
  since_ = now;
}

Order Lifecycle::tick(Monotonic now) {
  if (now < due()) return Order::kNone;
  switch (state_) {
    case BackendState::kStarting:
      if (!supervised_) {
        timed_out_ = true;
        state_ = BackendState::kUnhealthy;
        since_ = now;
        return Order::kNone;
      }
      timed_out_ = !ever_ready_;
      since_ = now;
      return Order::kKill;
    case BackendState::kUnhealthy: since_ = now; return Order::kKill;
    case BackendState::kBackingOff: return Order::kStart;
    default: return Order::kNone;
  }
}

Monotonic Lifecycle::due() const {
  switch (state_) {
    case BackendState::kStarting: return since_ + start_timeout_;
    case BackendState::kUnhealthy: return supervised_ ? since_ + kUnhealthyLimit : Monotonic::max();
    case BackendState::kBackingOff: return since_ + delay_after(failures_);
    default: return Monotonic::max();
  }
}

}  // namespace backstay::serving
