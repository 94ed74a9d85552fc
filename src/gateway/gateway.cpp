#include "gateway/gateway.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "gateway/worker.hpp"

namespace backstay::gateway {

struct Gateway::Impl {
  Impl(GatewayConfig gateway_config, Descriptor socket, const RoutingCell& routing, std::function<void()> wake)
      : config(std::move(gateway_config)), listener(std::move(socket)) {
    signal.wake = std::move(wake);
    for (std::uint32_t i = 0; i < config.endpoints.size(); ++i)
      for (const std::string& route : config.endpoints[i].routes) routes.add(route, i);
    const unsigned count = config.threads > 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < count; ++i) workers.push_back(std::make_unique<Worker>(config, routes, routing, signal));
  }

  GatewayConfig config;
  Descriptor listener;
  RouteMap routes;
  OutcomeSignal signal;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = 0;
};

Gateway::Gateway(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Gateway::~Gateway() {
  stop(milliseconds{0});
}

Result<std::unique_ptr<Gateway>> Gateway::create(GatewayConfig config, const RoutingCell& routing,
                                                 std::function<void()> wake_consumer) {
  TRY(Descriptor listener, listen_on(config.listen));
  auto impl = std::make_unique<Impl>(std::move(config), std::move(listener), routing, std::move(wake_consumer));
  return std::unique_ptr<Gateway>(new Gateway(std::move(impl)));
}

void Gateway::start() {
  impl_->running = impl_->workers.size();
  for (const auto& worker : impl_->workers) {
    impl_->threads.emplace_back([impl = impl_.get(), &worker = *worker] {
      worker.run(impl->listener.get());
      const std::lock_guard lock(impl->mutex);
      --impl->running;
      impl->ended.notify_all();
    });
  }
}

void Gateway::stop(milliseconds grace) {
  if (impl_->threads.empty()) return;
  for (const auto& worker : impl_->workers) worker->drain();
  {
    std::unique_lock lock(impl_->mutex);
    impl_->ended.wait_for(lock, grace, [this] { return impl_->running == 0; });
  }
  for (const auto& worker : impl_->workers) worker->cut();
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->threads.clear();
}

Address Gateway::address() const {
  return local_address(impl_->listener);
}

GatewayCounters Gateway::counters() const {
  GatewayCounters sum;
  for (const auto& worker : impl_->workers) {
    sum.requests += worker->counters.requests.get();
    sum.replayed += worker->counters.replayed.get();
    sum.failed += worker->counters.failed.get();
    sum.refused += worker->counters.refused.get();
    sum.mirrored += worker->counters.mirrored.get();
    sum.mirrors_dropped += worker->counters.mirrors_dropped.get();
    sum.outcomes_dropped += worker->outcomes.dropped();
    sum.samples_dropped += worker->samples.dropped();
  }
  return sum;
}

std::size_t Gateway::drain(const std::function<void(const traffic::Outcome&)>& take) {
  impl_->signal.sleeping.store(false, std::memory_order_relaxed);
  std::size_t count = 0;
  for (const auto& worker : impl_->workers) count += worker->outcomes.drain(take);
  return count;
}

std::size_t Gateway::drain_samples(const std::function<void(const RequestSample&)>& take) {
  std::size_t count = 0;
  for (const auto& worker : impl_->workers) count += worker->samples.drain(take);
  return count;
}

bool Gateway::prepare_to_sleep() {
  impl_->signal.sleeping.store(true);
  const bool quiet = std::all_of(impl_->workers.begin(), impl_->workers.end(),
                                 [](const auto& worker) { return worker->outcomes.empty(); });
  if (!quiet) impl_->signal.sleeping.store(false);
  return quiet;
}

}  // namespace backstay::gateway
