#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace backstay {

/// A mutex that is given in the order in which it was asked for (a ticket lock that sleeps). std::mutex lets a thread
/// that just released it take it again before those that wait, for as long as it likes; with what it protects taking
/// milliseconds, they would wait for seconds. For std::lock_guard.
class FairMutex {
 public:
  void lock() {
    std::unique_lock guard(mutex_);
    const std::uint64_t ticket = next_++;
    turn_.wait(guard, [&] { return serving_ == ticket; });
  }
  void unlock() {
    {
      const std::lock_guard guard(mutex_);
      ++serving_;
    }
    turn_.notify_all();
  }
  /// How many threads wait for it now.
  std::uint64_t waiting() const {
    const std::lock_guard guard(mutex_);
    return next_ - serving_ - (next_ > serving_ ? 1 : 0);
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable turn_;
  std::uint64_t next_ = 0;
  std::uint64_t serving_ = 0;
};

}  // namespace backstay
