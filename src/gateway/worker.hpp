#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "base/random.hpp"
#include "gateway/answer_queue.hpp"
#include "gateway/gateway.hpp"
#include "gateway/http1.hpp"
#include "gateway/outcome_ring.hpp"
#include "gateway/reactor.hpp"
#include "gateway/request_sampler.hpp"
#include "gateway/routing.hpp"
#include "gateway/upstream_pool.hpp"
#include "gateway/value_reader.hpp"

namespace backstay::gateway {

/// Tells a consumer that blocks that there is something to read again, at the price of one load per outcome.
struct OutcomeSignal {
  std::atomic<bool> sleeping{false};
  std::function<void()> wake;
};

/// A counter that one thread writes and any thread reads.
class Counter {
 public:
  void add() { count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  std::uint64_t get() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

/// One of the copies of requests that a thread may have under way: taken before the version is chosen, so that a
/// request of which no copy will be sent is known as such, and given back when the copy is answered, or was not wanted
/// after all. On the thread of its worker, which outlives it.
class MirrorPlace {
 public:
  MirrorPlace() = default;
  explicit MirrorPlace(std::size_t& taken) : taken_(&taken) { ++taken; }
  MirrorPlace(MirrorPlace&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
  MirrorPlace& operator=(MirrorPlace&& other) noexcept {
    std::swap(taken_, other.taken_);
    return *this;
  }
  ~MirrorPlace() {
    if (taken_ != nullptr) --*taken_;
  }
  explicit operator bool() const { return taken_ != nullptr; }

 private:
  std::size_t* taken_ = nullptr;
};

/// Everything one gateway thread has; connections run on it as coroutines.
class Worker {
 public:
  Worker(const GatewayConfig& config, const RouteMap& routes, const RoutingCell& routing, OutcomeSignal& signal);

  /// Until drain() was called and every connection has ended.
  void run(int listener);
  /// Ends what is idle, lets the rest finish. Any thread.
  void drain();
  /// Cuts every connection. Any thread.
  void cut();

  void record(const traffic::Outcome& outcome);

  const GatewayConfig& config;
  const RouteMap& routes;
  Reactor reactor;
  RoutingReader routing;
  UpstreamPool pool;
  OutcomeRing outcomes;
  SampleRing samples;
  AnswerRing* answers;  ///< nullptr: nobody examines any.
  ValueReader values;
  Random random;
  http1::RequestHead request;    ///< Scratch for the head being scanned; nothing keeps it over a suspension.
  http1::ResponseHead response;  ///< Likewise.
  bool draining = false;
  std::size_t mirrors_under_way = 0;

  struct Counters {
    Counter requests, replayed, failed, refused, mirrored, mirrors_dropped;
  } counters;

 private:
  void accept_one(int listener);

  OutcomeSignal& signal_;
  std::atomic<bool> drain_wanted_{false};
  std::atomic<bool> cut_wanted_{false};
};

}  // namespace backstay::gateway
