#pragma once

#include "base/time.hpp"
#include "ports/backends.hpp"

namespace backstay::serving {

/// What the supervisor has to do now.
enum class Order { kNone, kStart, kKill };

/// One backend's life as a pure value: when it is started, given up, restarted with exponential back-off. Knows no
/// process and no socket. A supervised process has 5 chances in a row to become ready; one that was ready before is
/// restarted for ever, after 0.5 s, 1 s, 2 s ... at most 30 s, and from 0.5 s again once it stayed ready for a minute.
class Lifecycle {
 public:
  /// `supervised`: false for a url, which is only watched.
  Lifecycle(bool supervised, milliseconds start_timeout) : supervised_(supervised), start_timeout_(start_timeout) {}

  void started(Monotonic now);
  Order probed(bool healthy, Monotonic now);
  void exited(Monotonic now);
  Order tick(Monotonic now);

  BackendState state() const { return state_; }
  unsigned restarts() const { return restarts_; }
  /// It never became healthy within the start timeout.
  bool timed_out() const { return timed_out_; }
  /// When tick() has something to do; max() when not.
  Monotonic due() const;

 private:
  bool supervised_;
  milliseconds start_timeout_;
  BackendState state_ = BackendState::kStarting;
  Monotonic since_{};
  bool ever_ready_ = false;
  bool ready_this_time_ = false;
  bool timed_out_ = false;
  unsigned failed_probes_ = 0;
  unsigned failures_ = 0;
  unsigned restarts_ = 0;
};

}  // namespace backstay::serving
