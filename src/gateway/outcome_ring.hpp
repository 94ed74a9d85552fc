#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "domain/traffic/outcome.hpp"

namespace backstay::gateway {

/// A bounded queue of outcomes from one gateway thread to the monitor: one producer, one consumer, no locks. When the
/// monitor falls behind by the whole capacity new outcomes are dropped and counted, never waited for.
class OutcomeRing {
 public:
  /// `capacity` must be a power of two.
  explicit OutcomeRing(std::size_t capacity = 1 << 15) : slots_(capacity), mask_(capacity - 1) {}

  /// Producer. False: full, dropped.
  bool push(const traffic::Outcome& outcome) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ > mask_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ > mask_) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return false;
      }
    }
    slots_[tail & mask_] = outcome;
    tail_.store(tail + 1);  // Sequentially consistent: see empty().
    return true;
  }

  /// Consumer: calls `take` for each outcome there is now; returns how many.
  template <class Take>
  std::size_t drain(Take take) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    const std::size_t tail = tail_.load(std::memory_order_acquire);
    for (std::size_t at = head; at != tail; ++at) take(slots_[at & mask_]);
    head_.store(tail, std::memory_order_release);
    return tail - head;
  }
  /// Consumer. After a sequentially consistent store "I sleep", either this sees a push or the pusher sees the store.
  bool empty() const { return head_.load(std::memory_order_relaxed) == tail_.load(); }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  std::vector<traffic::Outcome> slots_;
  std::size_t mask_;
  alignas(64) std::atomic<std::size_t> tail_{0};
  std::size_t head_seen_ = 0;  ///< Producer's copy of head_, to leave the consumer's cache line alone.
  std::atomic<std::uint64_t> dropped_{0};
  alignas(64) std::atomic<std::size_t> head_{0};
};

}  // namespace backstay::gateway
