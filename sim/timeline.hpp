#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "base/time.hpp"
#include "sim/scenario.hpp"

namespace backstay::sim {

/// Virtual time and what is to happen in it. The only clock of a simulation: it moves from event to event, never by
/// itself. Events of one moment happen in the order in which they were asked for, so a run depends on its seed alone.
class Timeline : public Clock {
 public:
  using Owner = std::weak_ptr<const void>;

  /// The wall clock, which may be set.
  Timestamp now() const override { return kBeginning + elapsed_ + skew_; }
  Monotonic monotonic() const override { return Monotonic(elapsed_); }
  microseconds elapsed() const { return elapsed_; }
  void set_wall_clock(microseconds ahead) { skew_ = ahead; }

  /// The event is dropped when `owner` is gone by then: what a process meant to do ends with it.
  void after(microseconds delay, const Owner& owner, std::function<void()> event) {
    events_.push({elapsed_ + delay, next_++, owner, std::move(event)});
  }
  void at(microseconds when, std::function<void()> event) {
    events_.push({std::max(when, elapsed_), next_++, world_, std::move(event)});
  }

  /// Does the next event; false when there is none.
  bool step() {
    while (!events_.empty()) {
      Event event = events_.top();
      events_.pop();
      if (event.owner.expired()) continue;
      elapsed_ = event.when;
      event.action();
      return true;
    }
    return false;
  }

 private:
  struct Event {
    microseconds when;
    std::uint64_t order;
    Owner owner;
    std::function<void()> action;
    bool operator<(const Event& other) const {
      return when != other.when ? when > other.when : order > other.order;  // The top of a heap is its largest.
    }
  };
  std::priority_queue<Event> events_;
  microseconds elapsed_{0};
  microseconds skew_{0};
  std::uint64_t next_ = 0;
  std::shared_ptr<const int> world_ = std::make_shared<const int>(0);
};

}  // namespace backstay::sim
