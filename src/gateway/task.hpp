#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace backstay::gateway {

namespace detail {

/// What Task<T>'s promises share. A task runs from where it is awaited; when it ends without ever having suspended its
/// awaiter just goes on, so a loop that awaits tasks that are always ready uses no stack. Otherwise the end of the task
/// resumes the awaiter.
struct TaskPromise {
  std::coroutine_handle<> awaiter;
  bool awaiter_suspended = false;
  bool finished = false;

  struct AtEnd {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) noexcept {
      TaskPromise& promise = self.promise();
      promise.finished = true;
      if (promise.awaiter_suspended) promise.awaiter.resume();  // May destroy this frame: nothing after this.
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  AtEnd final_suspend() noexcept { return {}; }
  /// The data plane's own code throws nothing; what is left (no memory) is not survivable in the middle of a request.
  [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
};

template <class T>
struct ValuePromise : TaskPromise {
  std::optional<T> value;
  void return_value(T result) { value.emplace(std::move(result)); }
  T take() { return std::move(*value); }
};

template <>
struct ValuePromise<void> : TaskPromise {
  void return_void() noexcept {}
  void take() noexcept {}
};

}  // namespace detail

/// A coroutine that is awaited exactly once, on the thread that made it. Owns its frame.
template <class T>
class [[nodiscard]] Task {
 public:
  struct promise_type : detail::ValuePromise<T> {
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
  };

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) {
    detail::TaskPromise& promise = frame_.promise();
    promise.awaiter = awaiter;
    frame_.resume();
    if (promise.finished) return false;
    promise.awaiter_suspended = true;
    return true;
  }
  T await_resume() { return frame_.promise().take(); }

 private:
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

/// Runs a task that nobody awaits; its frame goes when it ends.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
  };
};

inline Detached run_detached(Task<void> task) {
  co_await task;
}

}  // namespace backstay::gateway
