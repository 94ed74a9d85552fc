#include "api/http_listener.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "api/answer.hpp"

namespace backstay::api {

namespace {

using Steady = std::chrono::steady_clock;

constexpr milliseconds kTransferTime{5'000};  ///< For the next bytes of a body, or for the client to take some.
bool waits_for(int socket, short event, milliseconds time) {
  pollfd one{socket, event, 0};
  int got = 0;
  do {
    got = poll(&one, 1, static_cast<int>(time.count()));
  } while (got < 0 && errno == EINTR);
  return got > 0;
}

/// Before the connection ends. What the client does not take at once it does not get.
void refuse(int socket, int status, const char* reason, const Error& error) {
  httplib::Response response;
  send_problem(response, error, status);
  std::string text = fmt::format("HTTP/1.1 {} {}\r\nConnection: close\r\nContent-Length: {}\r\n", status, reason,
                                 response.body.size());
  for (const auto& [name, value] : response.headers) text += fmt::format("{}: {}\r\n", name, value);
  text += "\r\n" + response.body;
  ::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void name_of(const sockaddr_storage& address, socklen_t size, std::string& ip, int& port) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> service{};
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host.data(), host.size(), service.data(),
                  service.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return;
  ip = host.data();
  port = std::atoi(service.data());
}

/// Runs what it is given at once: the library's connections are put with the others that wait.
class AtOnce : public httplib::TaskQueue {
 public:
  explicit AtOnce(std::function<void()> at_end) : at_end_(std::move(at_end)) {}
  void enqueue(std::function<void()> task) override { task(); }
  void shutdown() override { at_end_(); }

 private:
  std::function<void()> at_end_;
};

}  // namespace

/// A connection as the library reads it: first the bytes that came while it waited.
class HttpListener::Buffered : public httplib::Stream {
 public:
  explicit Buffered(Connection& connection) : connection_(connection) {}

  bool is_readable() const override {
    return at_ < connection_.unread.size() || waits_for(socket(), POLLIN, kTransferTime);
  }
  bool is_writable() const override { return waits_for(socket(), POLLOUT, kTransferTime); }
  ssize_t read(char* into, std::size_t size) override {
    std::string& unread = connection_.unread;
    if (at_ < unread.size()) {
      const std::size_t n = std::min(size, unread.size() - at_);
      unread.copy(into, n, at_);
      at_ += n;
      return static_cast<ssize_t>(n);
    }
    if (size < kBuffer) {  // The library reads heads byte by byte.
      unread.resize(kBuffer);
      at_ = 0;
      const ssize_t got = receive(unread.data(), kBuffer);
      unread.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      return got > 0 ? read(into, size) : got;
    }
    return receive(into, size);
  }
  ssize_t write(const char* from, std::size_t size) override {
    ssize_t sent = -1;
    do {
      if (!is_writable()) return -1;
      sent = ::send(socket(), from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK));
    return sent;
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (getpeername(socket(), reinterpret_cast<sockaddr*>(&address), &size) == 0) name_of(address, size, ip, port);
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (getsockname(socket(), reinterpret_cast<sockaddr*>(&address), &size) == 0) name_of(address, size, ip, port);
  }
  socket_t socket() const override { return connection_.socket.get(); }
  /// What was read ahead is the next request's.
  void end_request() {
    connection_.unread.erase(0, at_);
    at_ = 0;
  }

 private:
  static constexpr std::size_t kBuffer = 4096;
  ssize_t receive(char* into, std::size_t size) const {
    ssize_t got = -1;
    do {
      if (!waits_for(socket(), POLLIN, kTransferTime)) return -1;
      got = recv(socket(), into, size, MSG_DONTWAIT);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK));
    return got;
  }

  Connection& connection_;
  std::size_t at_ = 0;  ///< In what is unread.
};

HttpListener::HttpListener(std::size_t threads) : woken_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  new_task_queue = [this] { return new AtOnce([this] { stop_threads(); }); };
  waiter_ = std::thread([this] { wait_for_heads(); });
  for (std::size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

HttpListener::~HttpListener() {
  stop_threads();
}

void HttpListener::stop_threads() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  wake();
  if (waiter_.joinable()) waiter_.join();
  for (std::thread& worker : workers_)
    if (worker.joinable()) worker.join();
  arrived_.clear();
  ready_.clear();
}

void HttpListener::wake() const {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(woken_.get(), &one, sizeof one));
}

bool HttpListener::process_and_close_socket(socket_t socket) {
  arrive({Descriptor(socket), "", kRequestsPerConnection, Steady::now() + kIdleTime, true});
  return true;
}

void HttpListener::arrive(Connection connection) {
  {
    const std::lock_guard lock(mutex_);
    arrived_.push_back(std::move(connection));
  }
  wake();
}

void HttpListener::wait_for_heads() {
  std::vector<Connection> waiting;
  std::vector<pollfd> polled;
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      std::move(arrived_.begin(), arrived_.end(), std::back_inserter(waiting));
      arrived_.clear();
    }
    look_at(waiting, Steady::now());
    polled.assign(1, {woken_.get(), POLLIN, 0});
    Monotonic next = Monotonic::max();
    for (const Connection& connection : waiting) {
      polled.push_back({connection.socket.get(), POLLIN, 0});
      next = std::min(next, connection.deadline);
    }
    const auto left = std::chrono::ceil<milliseconds>(next - Steady::now()).count();
    const bool forever = waiting.empty();
    poll(polled.data(), polled.size(), forever ? -1 : static_cast<int>(std::max<std::int64_t>(left, 0)));
    for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i].has_come = polled[i + 1].revents != 0;
    std::uint64_t ignored = 0;
    static_cast<void>(!::read(woken_.get(), &ignored, sizeof ignored));
  }
}

void HttpListener::look_at(std::vector<Connection>& waiting, Monotonic now) {
  const auto stays = std::stable_partition(waiting.begin(), waiting.end(),
                                           [&](Connection& connection) { return !has_left(connection, now); });
  {
    const std::lock_guard lock(mutex_);
    for (auto left = stays; left != waiting.end(); ++left)
      if (left->socket) ready_.push_back(std::move(*left));
  }
  changed_.notify_all();
  waiting.erase(stays, waiting.end());
  if (waiting.size() > kMostWaiting)
    waiting.erase(waiting.begin(), waiting.end() - static_cast<std::ptrdiff_t>(kMostWaiting));
}

bool HttpListener::has_left(Connection& connection, Monotonic now) {
  std::array<char, 4096> bytes{};
  std::string& head = connection.unread;
  while (connection.has_come) {
    if (head.find("\r\n\r\n") != std::string::npos) return true;
    if (head.size() > kMostHead) {
      refuse(
          connection.socket.get(), 431, "Request Header Fields Too Large",
          {ErrorCode::kInvalidArgument, "The request's head is larger than 64 KiB.", "Send fewer or shorter headers."});
      connection.socket.reset();
      return true;
    }
    const ssize_t got = recv(connection.socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got > 0) {
      if (head.empty()) connection.deadline = now + kHeadTime;
      head.append(bytes.data(), static_cast<std::size_t>(got));
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got < 0 || head.empty()) connection.socket.reset();
    return true;  // It sends no more: the library says what it thinks of half a head.
  }
  if (now < connection.deadline) return false;
  if (!head.empty())
    refuse(connection.socket.get(), 408, "Request Timeout",
           {ErrorCode::kTimeout, "The request's head did not come within 5 s.", "Send the whole head at once."});
  connection.socket.reset();
  return true;
}

void HttpListener::work() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !ready_.empty(); });
    if (ready_.empty()) return;
    Connection next = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    answer(std::move(next));
  }
}

void HttpListener::answer(Connection connection) {
  Buffered stream(connection);
  bool closed = false;
  const bool last = --connection.requests_left == 0;
  const bool done = process_request(stream, last, closed, nullptr);
  stream.end_request();
  if (done && !closed && !last) {
    connection.deadline = Steady::now() + (connection.unread.empty() ? kIdleTime : kHeadTime);
    connection.has_come = true;
    return arrive(std::move(connection));
  }
  ::shutdown(connection.socket.get(), SHUT_RDWR);
}

}  // namespace backstay::api
