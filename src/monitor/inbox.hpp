#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "base/descriptor.hpp"

namespace backstay::monitor {

/// Work that other threads hand to the monitor's. post() and wake() from any thread, the rest from the monitor's.
class Inbox {
 public:
  Inbox();
  void post(std::function<void()> task);
  /// Ends the wait without a task.
  void wake() const;
  /// Blocks until there is a task, a wake or `timeout_us` passed; -1 = for ever.
  void wait(long timeout_us) const;
  /// Runs what was posted.
  void run();

 private:
  Descriptor event_;
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
};

}  // namespace backstay::monitor
