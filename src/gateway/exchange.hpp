#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "domain/traffic/outcome.hpp"
#include "gateway/http1.hpp"
#include "gateway/reactor.hpp"
#include "gateway/task.hpp"
#include "gateway/upstream_pool.hpp"

namespace backstay::gateway {

/// One try of one request at one backend, over a pooled connection or a new one.
class Exchange {
 public:
  struct Call {
    Address address;
    std::string_view head;  ///< Must outlive the call, as must `body`.
    std::string_view body;  ///< The whole body, or its beginning (more follows by send_more).
    bool to_head_request = false;
    Monotonic deadline;          ///< For all of it.
    std::size_t hold_bytes = 0;  ///< Collect the response until it is complete or larger than this; 0: don't.
    /// Runs once in call(), when the request was sent and before its answer is awaited: work for which the backend need
    /// not be waited for, and which the client then doesn't wait for either.
    std::function<void()> meanwhile{};
  };

  /// `scratch` is the thread's: the head of a response that was received lives there until the next suspension.
  Exchange(Reactor& reactor, UpstreamPool& pool, http1::ResponseHead& scratch)
      : reactor_(reactor), pool_(pool), sent_at_(reactor.now()), received_at_(sent_at_), head_(scratch) {}

  /// Sends and receives. kAnswered: head() is there, and the body's beginning or all of it. A pooled connection that
  /// turns out to be closed is replaced by a new one, once.
  Task<traffic::Ending> call(const Call& call);
  /// The two halves of call(), for a request that is sent in pieces.
  Task<traffic::Ending> send(const Call& call, bool new_connection);
  /// `bytes` need not outlive the first suspension.
  Task<bool> send_more(std::string_view bytes, Monotonic deadline);
  Task<traffic::Ending> receive(const Call& call);

  /// Valid until the coroutine that called receive() suspends again.
  const http1::ResponseHead& head() const { return head_; }
  /// The body's bytes as they came (framing included) that have not been handed out; same validity.
  std::string_view body() const { return view_; }
  bool complete() const { return body_.complete(); }
  /// The answer is a stream of server-sent events.
  bool event_stream() const { return event_stream_; }
  /// The next bytes of a response that was not complete; empty and !complete() means that it broke off.
  Task<std::string_view> next(Monotonic deadline);

  /// Of the answer's body so far, without the framing of chunks.
  std::uint64_t content_bytes() const { return body_.content_bytes(); }
  /// From the first byte sent to the last byte received, so far.
  microseconds latency() const;
  /// From the first byte sent to the first one of the body; nullopt: none has come.
  std::optional<microseconds> first_byte() const;
  /// When that last byte came, or the try failed.
  Monotonic received_at() const { return received_at_; }
  /// 0 until a head was received.
  int status() const { return status_; }

  /// Gives the connection back if it can be used again; closes it otherwise.
  void finish();
  /// Closes the connection whatever its state.
  void abandon() { stream_.reset(); }

 private:
  Task<traffic::Ending> connect(const Call& call);
  bool take_heads(const Call& call, bool& broken);
  bool begin_body();
  std::string_view take_body(std::string_view fresh);
  bool holds_on(const Call& call) const;

  Reactor& reactor_;
  UpstreamPool& pool_;
  Address address_;
  std::unique_ptr<Stream> stream_;
  bool reused_ = false;
  bool reusable_ = false;
  Monotonic sent_at_;
  Monotonic received_at_;
  std::optional<Monotonic> first_byte_at_;
  bool received_ = false;  ///< Any byte of the answer.
  http1::ResponseHead& head_;
  std::size_t head_size_ = 0;
  int status_ = 0;
  bool event_stream_ = false;
  http1::BodyScanner body_;
  std::string unsent_;
  std::string held_;       ///< What was received over more than one read.
  std::string_view view_;  ///< Into held_ or the reactor's read buffer.
};

}  // namespace backstay::gateway
