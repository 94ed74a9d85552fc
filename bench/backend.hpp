#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"
#include "gateway/socket.hpp"

namespace backstay::bench {

/// What every request is answered with: 322 bytes in all, head included.
std::string_view small_answer(Monotonic arrived = {});
/// A 500 without a body; the connection stays usable.
std::string_view failure();

/// A model server that costs as little as possible: one thread, one epoll, keep-alive, no parsing beyond where a
/// request ends (a Content-Length is understood, chunks are not).
class Backend {
 public:
  /// Called when a whole request was read, with the moment its last byte reached the socket (only with
  /// `stamps_arrivals`); returns the bytes to answer with.
  using Answer = std::function<std::string_view(Monotonic arrived)>;

  /// `stamps_arrivals`: the kernel notes when bytes reach a socket, which costs a little for every packet of the
  /// machine.
  explicit Backend(bool stamps_arrivals = false);

  /// Another address to serve, before run(); port 0 picks one. Returns where it is.
  Result<gateway::Address> listen(const gateway::Address& address, Answer answer);
  /// Serves until stop().
  void run();
  /// Any thread.
  void stop();

 private:
  struct Listener {
    Descriptor socket;
    Answer answer;
  };
  struct Connection {
    Descriptor socket;
    const Answer* answer = nullptr;
    std::string input;
  };

  void accept_from(const Listener& listener);
  bool serve(Connection& connection);
  ssize_t read(const Descriptor& socket, Monotonic& arrived);

  bool stamps_arrivals_;
  Descriptor epoll_;
  Descriptor wake_;
  std::unordered_map<int, Listener> listeners_;
  std::unordered_map<int, Connection> connections_;
  std::vector<char> read_buffer_;
  std::atomic<bool> stopping_{false};
};

}  // namespace backstay::bench
