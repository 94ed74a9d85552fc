#include "gateway/worker.hpp"

#include "base/random.hpp"
#include "gateway/connection.hpp"

namespace backstay::gateway {

namespace {

Task<void> serve_client(Worker& worker, Descriptor socket) {
  Connection connection(worker, std::move(socket));
  co_await connection.serve();
}

}  // namespace

Worker::Worker(const GatewayConfig& gateway_config, const RouteMap& route_map, const RoutingCell& routing_cell,
               OutcomeSignal& signal)
    : config(gateway_config),
      routes(route_map),
      routing(routing_cell),
      pool(reactor),
      answers(gateway_config.answers == nullptr ? nullptr : &gateway_config.answers->open_ring()),
      random(secure_random()),
      signal_(signal) {}

void Worker::run(int listener) {
  bool accepting = reactor.accept_from(listener, [this, listener] { accept_one(listener); }).has_value();
  while (true) {
    if (!draining && drain_wanted_.load(std::memory_order_acquire)) {
      draining = true;
      reactor.cancel(true);
    }
    if (draining && accepting) {
      reactor.stop_accepting();
      accepting = false;
    }
    if (draining) pool.clear();
    if (cut_wanted_.load(std::memory_order_acquire)) reactor.cancel(false);
    if (draining && reactor.streams() == 0) return;
    reactor.run_once();
  }
}

void Worker::accept_one(int listener) {
  auto socket = accept_connection(listener);
  // The lowest free number is taken: a high one means that many are open.
  const bool none_left = !socket || socket->get() > config.highest_client;
  if (none_left) {
    reactor.pause_accepting();
  } else if (*socket) {
    run_detached(serve_client(*this, *std::move(socket)));
  }
}

void Worker::drain() {
  drain_wanted_.store(true, std::memory_order_release);
  reactor.wake();
}

void Worker::cut() {
  cut_wanted_.store(true, std::memory_order_release);
  reactor.wake();
}

void Worker::record(const traffic::Outcome& outcome) {
  outcomes.push(outcome);
  // Sequentially consistent with the push, as are the consumer's store and re-check in Gateway::prepare_to_sleep: one
  // of the two sees the other.
  if (signal_.sleeping.load() && signal_.sleeping.exchange(false)) signal_.wake();
}

}  // namespace backstay::gateway
