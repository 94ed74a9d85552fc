#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "gateway/answer_queue.hpp"
#include "gateway/outcome_ring.hpp"
#include "gateway/request_sampler.hpp"
#include "gateway/routing.hpp"
#include "gateway/socket.hpp"
#include "gateway/value_reader.hpp"

namespace backstay::gateway {

/// What the data plane has to know of an endpoint; fixed while the gateway runs.
struct EndpointConfig {
  std::string name;
  std::vector<std::string> routes;  ///< Path prefixes.
  std::string sticky_header;        ///< Requests with the same value stay on one version; empty = none.
  std::string sticky_cookie;
  milliseconds try_timeout{10'000};        ///< For one version to answer.
  std::size_t replay_bytes = 1024 * 1024;  ///< Larger requests are not kept for a replay, so no candidate gets them.
  std::size_t hold_bytes = 1024 * 1024;  ///< Candidate responses up to this are checked whole before any byte goes on.
  std::vector<ValueSource> values;       ///< At most traffic::kMaxValues.
  std::uint32_t examine_ppm = 0;         ///< Share of the answers that are copied for the examiners.
  std::size_t examine_bytes = 256 * 1024;          ///< Longer ones are not.
  std::size_t examine_stream_bytes = 1024 * 1024;  ///< Of event streams, which take some 250 bytes for each token.
  std::uint32_t sample_ppm = 0;                    ///< Share of the answered requests that is copied for looking into.
};

struct GatewayConfig {
  Address listen{0x7f000001, 0};
  unsigned threads = 0;  ///< 0: one per core.
  std::vector<EndpointConfig> endpoints;
  std::size_t max_body_bytes = 256 * 1024 * 1024;
  milliseconds head_timeout{15'000};
  milliseconds body_timeout{60'000};  ///< Between two pieces of a body, either way.
  milliseconds idle_timeout{75'000};
  /// The highest file descriptor that a client's connection may have; beyond it they are closed. What is left is for
  /// backends, the store and whoever has to act while clients take all that they can get.
  int highest_client = std::numeric_limits<int>::max();
  AnswerQueue* answers =
      nullptr;  ///< Where copies go: a ring per thread; outlives the gateway. nullptr: none are made.
};

/// Counts since the start, summed over threads.
struct GatewayCounters {
  std::uint64_t requests = 0;
  std::uint64_t replayed = 0;  ///< Candidate failures the client never saw.
  std::uint64_t failed = 0;    ///< Answers of 5xx that did go to a client.
  std::uint64_t refused = 0;   ///< Malformed or unroutable requests.
  std::uint64_t mirrored = 0;
  std::uint64_t mirrors_dropped = 0;  ///< Copies not sent because too many were under way.
  std::uint64_t outcomes_dropped = 0;
  std::uint64_t samples_dropped = 0;
};

/// The data plane: one event-loop thread per core that admits, chooses, forwards, replays, mirrors and records. Knows
/// no database and no rollout, only the routing table of the moment.
class Gateway {
 public:
  /// Binds the address; fails when it is in use. `on_outcomes` is called from gateway threads after an outcome was
  /// recorded while the consumer said it sleeps (see OutcomeSignal).
  static Result<std::unique_ptr<Gateway>> create(GatewayConfig config, const RoutingCell& routing,
                                                 std::function<void()> wake_consumer);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  void start();
  /// Stops accepting, lets requests that are under way finish for up to `grace`, then closes. Blocks.
  void stop(milliseconds grace);

  Address address() const;
  GatewayCounters counters() const;

  /// Consumer side, one thread: every outcome recorded since the last call, thread by thread.
  std::size_t drain(const std::function<void(const traffic::Outcome&)>& take);
  /// Consumer of samples, one thread (another than that of outcomes): every request sampled since the last call.
  std::size_t drain_samples(const std::function<void(const RequestSample&)>& take);
  /// The consumer is about to block: the next outcome calls wake_consumer. False: there are outcomes already.
  bool prepare_to_sleep();

 private:
  struct Impl;
  explicit Gateway(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace backstay::gateway
