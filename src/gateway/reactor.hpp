#pragma once

#include <sys/epoll.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "gateway/socket.hpp"

namespace backstay::gateway {

class Stream;

/// One thread's event loop: edge-triggered epoll, deadlines, and one read buffer that all its streams share. Everything
/// but wake() belongs to the thread that runs it.
class Reactor {
 public:
  /// Big enough that a large body costs few system calls.
  static constexpr std::size_t kReadBufferBytes = 256 * 1024;

  Reactor();
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Calls `on_acceptable` whenever the listening socket has a connection waiting, until stop_accepting().
  Result<void> accept_from(int listener, std::function<void()> on_acceptable);
  void stop_accepting();
  /// Leaves the listener alone for a while: there was no file descriptor left for a connection.
  void pause_accepting();

  /// Waits for events once and resumes what they concern. `on_wake` of run_once's caller follows each return.
  void run_once();
  /// Makes run_once() return. Any thread.
  void wake();

  /// The time as of the last return from epoll_wait: good enough for deadlines, costs nothing.
  Monotonic now() const { return now_; }
  std::span<char> read_buffer() { return {read_buffer_.data(), read_buffer_.size()}; }

  /// Resumes every waiting stream with kCancelled; with `idle_only` just those that wait at a point where nothing would
  /// be lost (Stream::set_idle).
  void cancel(bool idle_only);
  std::size_t streams() const { return stream_count_; }

 private:
  friend class Stream;
  struct Slot {
    Stream* stream = nullptr;
    std::uint32_t generation = 0;
    Monotonic deadline = Monotonic::max();
  };

  std::uint32_t add(Stream* stream, int fd);
  void remove(std::uint32_t slot);
  void set_deadline(std::uint32_t slot, Monotonic deadline);
  void expire();
  int wait_milliseconds() const;
  void watch_listener();

  Descriptor epoll_;
  Descriptor wake_;
  int listener_ = -1;
  bool listening_ = false;
  Monotonic accept_again_ = Monotonic::max();
  std::function<void()> on_acceptable_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::size_t stream_count_ = 0;
  Monotonic now_;
  Monotonic next_expiry_ = Monotonic::max();  ///< No deadline is earlier than this.
  std::array<epoll_event, 256> events_;
  std::vector<char> read_buffer_;
};

enum class IoStatus : std::uint8_t { kOk, kClosed, kFailed, kTimedOut, kCancelled };
struct IoResult {
  IoStatus status = IoStatus::kOk;
  std::size_t bytes = 0;
};

/// A non-blocking TCP connection that coroutines wait on. One coroutine waits at a time. Belongs to its reactor's
/// thread; closing is destroying.
class Stream {
 public:
  /// Takes a connected (or still connecting) non-blocking socket.
  Stream(Reactor& reactor, Descriptor fd);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  struct Read;
  /// Bytes into `buffer`, as soon as there are any. kClosed at the end of the stream.
  Read read(std::span<char> buffer, Monotonic deadline);
  struct Writable;
  /// kOk when a write will take bytes, or a connect has come to its end (see connect_error).
  Writable writable(Monotonic deadline);

  /// Sends what the socket takes now. kOk with fewer bytes than given: wait for writable().
  IoResult send_now(std::span<iovec> pieces);
  /// Tells the peer that no more will be sent.
  void shutdown_write();
  /// 0 when the connection was made, else the errno of the attempt.
  int connect_error() const;

  /// While idle the stream may be cancelled by a graceful stop: a client between requests.
  void set_idle(bool idle) { idle_ = idle; }
  /// True when the peer closed or sent something that nobody asked for.
  bool disturbed() const { return readable_ || peer_closed_; }
  /// Called (once) when an idle pooled connection is disturbed or its deadline passes; replaces waiting.
  void watch_idle(std::function<void(Stream*)> on_disturbed, Monotonic deadline);
  void stop_watching();

 private:
  friend class Reactor;
  enum class Waiting : std::uint8_t { kNothing, kRead, kWritable };

  void on_events(std::uint32_t events);
  void wait(Waiting what, std::coroutine_handle<> waiter, Monotonic deadline);
  void resume(IoResult result);
  bool try_read(IoResult& result);

  Reactor& reactor_;
  Descriptor fd_;
  std::uint32_t slot_ = 0;
  bool readable_ = false;
  bool writable_ = false;
  bool peer_closed_ = false;
  bool idle_ = false;
  Waiting waiting_ = Waiting::kNothing;
  std::coroutine_handle<> waiter_;
  std::span<char> buffer_;
  IoResult result_;
  std::function<void(Stream*)> on_disturbed_;
};

struct Stream::Read {
  Stream& stream;
  Monotonic deadline;
  bool await_ready() { return stream.try_read(stream.result_); }
  void await_suspend(std::coroutine_handle<> waiter) { stream.wait(Waiting::kRead, waiter, deadline); }
  IoResult await_resume() const { return stream.result_; }
};

struct Stream::Writable {
  Stream& stream;
  Monotonic deadline;
  bool await_ready() {
    stream.result_ = {};
    return stream.writable_;
  }
  void await_suspend(std::coroutine_handle<> waiter) { stream.wait(Waiting::kWritable, waiter, deadline); }
  IoResult await_resume() const { return stream.result_; }
};

inline Stream::Read Stream::read(std::span<char> buffer, Monotonic deadline) {
  buffer_ = buffer;
  return {*this, deadline};
}
inline Stream::Writable Stream::writable(Monotonic deadline) {
  return {*this, deadline};
}

}  // namespace backstay::gateway
