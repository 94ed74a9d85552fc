#include "notify/dispatcher.hpp"

namespace backstay::notify {

Dispatcher::Dispatcher(Ports ports, std::vector<Target> targets, Patience patience)
    : ports_(std::move(ports)), targets_(std::move(targets)), patience_(patience) {}

Dispatcher::~Dispatcher() {
  stop();
}

Result<void> Dispatcher::start() {
  std::vector<Audience> audiences;
  for (const Target& target : targets_) audiences.push_back({target.name, target.events});
  TRY(const std::uint64_t newest, ports_.audit.size());
  TRY_DO(ports_.store.set_targets(audiences, newest));
  for (const Target& target : targets_) threads_.emplace_back([this, &target] { run(target); });
  return {};
}

void Dispatcher::wake() {
  {
    const std::lock_guard lock(mutex_);
    ++woken_;
  }
  changed_.notify_all();
}

void Dispatcher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_.request_stop();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Dispatcher::run(const Target& target) {
  Outbox outbox(ports_, target, patience_, secure_random());
  const std::stop_token stop = stopping_.get_token();
  while (!stop.stop_requested()) {
    std::uint64_t seen = 0;
    {
      const std::lock_guard lock(mutex_);
      seen = woken_;
    }
    // A database that is busy now is asked again at the next look.
    const Result<milliseconds> next = outbox.turn(stop);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, next ? *next : Outbox::kLook, [&] { return stop.stop_requested() || woken_ != seen; });
  }
}

}  // namespace backstay::notify
