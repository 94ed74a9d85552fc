#pragma once

#include <httplib.h>
#include <sys/socket.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.hpp"
#include "base/time.hpp"

namespace backstay::api {

/// cpp-httplib's server, but a connection has a thread only while a request is answered: until the request's head is
/// there, one thread waits for all connections. So clients that are slow, or send half a request, hold up no other.
/// A head has kHeadTime from its first byte on, and at most kMostHead bytes; 408 and 431 tell who needs more. Transfers
/// of files take as long as they take, and leave some threads to everything else, whose bodies are small and have
/// kBodyTime.
class HttpListener : public httplib::Server {
 public:
  explicit HttpListener(std::size_t threads);
  ~HttpListener() override;

  /// Once it is bound: more than the five connections of the library can come at once, without a second's wait.
  void widen_backlog() { ::listen(svr_sock_, SOMAXCONN); }

  static constexpr seconds kIdleTime{5};  ///< Without a byte of a request.
  static constexpr seconds kHeadTime{5};
  static constexpr seconds kBodyTime{10};
  static constexpr std::size_t kSmallBody = 1024 * 1024;  ///< What is longer is a transfer.
  static constexpr std::size_t kNoTransfers = 6;          ///< Threads that are kept from them.
  static constexpr seconds kEndTime{2};                   ///< At the end, for requests that are being answered.
  static constexpr std::size_t kMostHead = 64 * 1024;
  static constexpr std::size_t kMostWaiting = 256;  ///< At most; then the one that has waited longest goes.
  /// After so many requests a connection ends.
  static constexpr std::size_t kRequestsPerConnection = 100;

 private:
  class Buffered;
  struct Connection {
    Descriptor socket;
    std::string unread;  ///< The start of a head, or requests that came before they were asked for.
    std::size_t requests_left = kRequestsPerConnection;
    Monotonic deadline;
    bool has_come = true;  ///< Something may be there to be read.
  };

  /// Called by the library, on the thread that accepts.
  bool process_and_close_socket(socket_t socket) override;
  void arrive(Connection connection);
  void wait_for_heads();
  void look_at(std::vector<Connection>& waiting, Monotonic now);
  /// Reads what has come. True: it is for a thread that answers, or ended when it has no socket any more.
  bool has_left(Connection& connection, Monotonic now);
  void work();
  /// Whether there is something to answer for one more thread.
  bool has_work() const;
  void answer(Connection connection, bool transfer);
  void stop_threads();
  void wake() const;

  const Descriptor woken_;          ///< An eventfd.
  const std::size_t most_waiting_;  ///< kMostWaiting, or fewer where descriptors are few.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Connection> arrived_;
  std::deque<Connection> ready_;
  std::deque<Connection> transfers_;
  std::size_t transferring_ = 0;
  std::multiset<int> answering_;  ///< Sockets of requests that are being answered.
  bool stopping_ = false;
  std::thread waiter_;
  std::size_t threads_;
  std::vector<std::thread> workers_;
};

}  // namespace backstay::api
