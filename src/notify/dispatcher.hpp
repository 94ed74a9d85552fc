#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "notify/outbox.hpp"

namespace backstay::notify {

/// Tells every target of the audit log's entries that it wants: each has its Outbox and a thread, so none waits for
/// another. A target that the server before did not have hears of what comes from now on.
class Dispatcher {
 public:
  Dispatcher(Ports ports, std::vector<Target> targets, Patience patience = {});
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  Result<void> start();
  /// There may be something new. Never blocks for long: callable from anywhere.
  void wake();
  /// Ends a try that is under way. What was not delivered until now is delivered by the next process.
  void stop();

 private:
  void run(const Target& target);

  const Ports ports_;
  const std::vector<Target> targets_;
  const Patience patience_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t woken_ = 0;
  std::stop_source stopping_;
  std::vector<std::thread> threads_;
};

}  // namespace backstay::notify
