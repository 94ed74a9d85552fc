#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domain/traffic/outcome.hpp"

namespace backstay::gateway {

/// What an answer's body is: a document, or server-sent events one after another.
enum class BodyKind : std::uint8_t { kDocument, kEventStream };

/// A copy of an answer that was given, for whoever looks at it later.
struct AnswerSample {
  traffic::Outcome outcome;
  std::string version;
  std::string body;  ///< The content, any chunking undone.
  BodyKind kind = BodyKind::kDocument;
};

/// Wakes the one thread that waits for answers. A producer pays one load while that thread is at work, and a system
/// call when it sleeps.
class AnswerSignal {
 public:
  /// Producer, after a sequentially consistent store of what there is to see.
  void raise() {
    if (sleeping_.load() != 0 && sleeping_.exchange(0) != 0) sleeping_.notify_one();
  }
  /// Consumer: blocks until raise(), unless `seen` says that there is something already. `seen` is asked after it was
  /// said that this thread sleeps, so that either it sees a producer's store or the producer sees this one.
  template <class Seen>
  void sleep_unless(Seen seen) {
    sleeping_.store(1);
    if (seen()) {
      sleeping_.store(0);
    } else {
      sleeping_.wait(1);
    }
  }

 private:
  std::atomic<int> sleeping_{0};
};

/// A bounded queue of copies of answers from one gateway thread to whoever examines them: one producer, one consumer,
/// no locks. Full, a sample is dropped and counted, never waited for. Slots keep their memory up to kKept each, so that
/// in the steady state the producer allocates nothing but for longer answers; what waits has at most kMostBytes.
class AnswerRing {
 public:
  static constexpr std::size_t kSlots = 512;  ///< A power of two.
  static constexpr std::size_t kKept = 16 * 1024;
  static constexpr std::size_t kMostBytes = 16 * 1024 * 1024;

  explicit AnswerRing(AnswerSignal& signal) : signal_(signal) {}

  /// Producer. `chunked`: the body has its chunks still, which are undone on the consumer's thread. False: no room.
  bool push(const traffic::Outcome& outcome, std::string_view version, std::string_view body, bool chunked,
            BodyKind kind = BodyKind::kDocument);
  /// Producer: an answer that was to be examined and can't be: too long to be copied, or it broke off.
  void miss() { missed_.fetch_add(1, std::memory_order_relaxed); }

  /// Consumer: calls `take(std::shared_ptr<const AnswerSample>)` for each there is now; returns how many.
  template <class Take>
  std::size_t drain(Take take) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    const std::size_t tail = tail_.load(std::memory_order_acquire);
    for (std::size_t at = head; at != tail; ++at) take(take_out(at));
    return tail - head;
  }
  /// Consumer; see AnswerSignal.
  bool empty() const { return head_.load(std::memory_order_relaxed) == tail_.load(); }
  std::uint64_t missed() const { return missed_.load(std::memory_order_relaxed); }

 private:
  struct Slot {
    traffic::Outcome outcome;
    std::string version;
    std::string body;
    bool chunked = false;
    BodyKind kind = BodyKind::kDocument;
  };
  std::shared_ptr<const AnswerSample> take_out(std::size_t at);

  AnswerSignal& signal_;
  std::vector<Slot> slots_;  ///< Sized by the producer before the first release of tail_.
  alignas(64) std::atomic<std::size_t> tail_{0};
  std::size_t pushed_bytes_ = 0;  ///< Ever; the producer's.
  std::atomic<std::uint64_t> missed_{0};
  alignas(64) std::atomic<std::size_t> head_{0};
  std::atomic<std::size_t> taken_bytes_{0};
};

/// Sampled answers on their way from the gateway's threads to the one that examines them: a ring for each. Outlives
/// both.
class AnswerQueue {
 public:
  /// One per producing thread. Not while a consumer is at work.
  AnswerRing& open_ring();

  /// Consumer, one thread: waits until there is something to take. False: closed; what was not taken is lost.
  bool wait();
  /// Consumer: calls `take(std::shared_ptr<const AnswerSample>)` for each there is now, ring by ring.
  template <class Take>
  std::size_t drain(Take take) {
    std::size_t count = 0;
    for (const auto& ring : rings_) count += ring->drain(take);
    return count;
  }
  /// Any thread.
  void close();
  /// Answers that were to be examined and are not: dropped or missed. Any thread.
  std::uint64_t missed() const;

 private:
  bool empty() const;
  AnswerSignal signal_;
  std::vector<std::unique_ptr<AnswerRing>> rings_;
  std::atomic<bool> closed_{false};
};

}  // namespace backstay::gateway
