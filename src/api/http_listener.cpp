#include "api/http_listener.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "api/answer.hpp"
#include "base/descriptor_limit.hpp"

namespace backstay::api {

namespace {

using Steady = std::chrono::steady_clock;

constexpr milliseconds kTransferTime{5'000};  ///< For the next bytes of a body, or for the client to take some.
constexpr milliseconds kDrainTime{100};       ///< For the client to see that the connection ended.

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

/// "Content-Length: 12" in a head, in any letter case.
std::string_view header(std::string_view head, std::string_view name) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  for (std::size_t line = head.find("\r\n"); line != std::string_view::npos; line = head.find("\r\n", line + 2)) {
    const std::string_view rest = head.substr(line + 2);
    if (rest.size() <= name.size() || rest[name.size()] != ':' ||
        !std::equal(name.begin(), name.end(), rest.begin(), [&](char a, char b) { return same(b, a); }))
      continue;
    std::string_view value = rest.substr(name.size() + 1, rest.find("\r\n") - name.size() - 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    return value;
  }
  return {};
}

/// A file comes or goes: it takes as long as the line does.
bool is_transfer(std::string_view head) {
  if (head.starts_with("GET /v1/blobs")) return true;
  if (!header(head, "transfer-encoding").empty()) return true;
  std::size_t length = 0;
  const std::string_view text = header(head, "content-length");
  std::from_chars(text.data(), text.data() + text.size(), length);
  return length > HttpListener::kSmallBody;
}

/// The library reads no bodies of these: what follows their head can't be told from the next request.
bool has_unread_body(std::string_view head) {
  if (!head.starts_with("GET ") && !head.starts_with("HEAD ") && !head.starts_with("OPTIONS ")) return false;
  const std::string_view length = header(head, "content-length");
  return !header(head, "transfer-encoding").empty() || (!length.empty() && length != "0");
}

/// Lets the client read the answer: a socket that is closed with bytes unread takes it away again.
void end_gently(int socket) {
  constexpr std::size_t kMostDrained = 256;
  ::shutdown(socket, SHUT_WR);
  std::array<char, 4096> dropped{};
  const Monotonic end = Steady::now() + kDrainTime;
  for (std::size_t i = 0; i < kMostDrained; ++i) {
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (left.count() <= 0 || !waits_for(socket, POLLIN, left)) return;
    if (recv(socket, dropped.data(), dropped.size(), MSG_DONTWAIT) <= 0) return;
  }
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
  /// `deadline`: no more of the request is waited for after this.
  Buffered(Connection& connection, Monotonic deadline) : connection_(connection), deadline_(deadline) {}

  bool is_readable() const override { return at_ < connection_.unread.size() || waits_for(socket(), POLLIN, left()); }
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
    note_head({from, size});
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
  /// The answer said that it is the connection's last.
  bool says_close() const { return says_close_; }
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
      if (!waits_for(socket(), POLLIN, left())) return -1;
      got = recv(socket(), into, size, MSG_DONTWAIT);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK));
    return got;
  }

  /// The library writes an answer's head in one piece, before its body.
  void note_head(std::string_view text) {
    constexpr std::string_view kInterim = "HTTP/1.1 1";
    if (head_noted_ || text.starts_with(kInterim)) return;
    head_noted_ = true;
    says_close_ = header(text.substr(0, text.find("\r\n\r\n")), "connection") == "close";
  }

  milliseconds left() const {
    const auto time = std::chrono::ceil<milliseconds>(deadline_ - Steady::now());
    return std::clamp(time, milliseconds(0), kTransferTime);
  }

  Connection& connection_;
  Monotonic deadline_;
  std::size_t at_ = 0;  ///< In what is unread.
  bool head_noted_ = false;
  bool says_close_ = false;
};

HttpListener::HttpListener(std::size_t threads)
    : woken_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      most_waiting_(std::min(kMostWaiting, descriptor_reserve() / 2)),
      threads_(std::max(threads, kNoTransfers + 1)) {
  new_task_queue = [this] { return new AtOnce([this] { stop_threads(); }); };
  set_keep_alive_max_count(kRequestsPerConnection);
  waiter_ = std::thread([this] { wait_for_heads(); });
  for (std::size_t i = 0; i < threads_; ++i) workers_.emplace_back([this] { work(); });
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
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kEndTime, [this] { return answering_.empty(); });
    for (const int socket : answering_) ::shutdown(socket, SHUT_RDWR);
  }
  if (waiter_.joinable()) waiter_.join();
  for (std::thread& worker : workers_)
    if (worker.joinable()) worker.join();
  arrived_.clear();
  ready_.clear();
  transfers_.clear();
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
      if (left->socket) (is_transfer(left->unread) ? transfers_ : ready_).push_back(std::move(*left));
  }
  changed_.notify_all();
  waiting.erase(stays, waiting.end());
  if (waiting.size() > most_waiting_)
    waiting.erase(waiting.begin(), waiting.end() - static_cast<std::ptrdiff_t>(most_waiting_));
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

bool HttpListener::has_work() const {
  return !ready_.empty() || (!transfers_.empty() && transferring_ < threads_ - kNoTransfers);
}

void HttpListener::work() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || has_work(); });
    if (stopping_) return;
    const bool transfer = ready_.empty();
    std::deque<Connection>& queue = transfer ? transfers_ : ready_;
    Connection next = std::move(queue.front());
    queue.pop_front();
    const int socket = next.socket.get();
    answering_.insert(socket);
    transferring_ += transfer ? 1 : 0;
    lock.unlock();
    answer(std::move(next), transfer);
    lock.lock();
    answering_.erase(answering_.find(socket));
    transferring_ -= transfer ? 1 : 0;
    changed_.notify_all();
  }
}

void HttpListener::answer(Connection connection, bool transfer) {
  Buffered stream(connection, transfer ? Monotonic::max() : Steady::now() + kBodyTime);
  bool closed = false;
  std::string_view head = connection.unread;
  head = head.substr(0, head.find("\r\n\r\n"));
  const bool last = --connection.requests_left == 0 || has_unread_body(head);
  const bool done = process_request(stream, last, closed, nullptr);
  stream.end_request();
  if (done && !closed && !last && !stream.says_close()) {
    connection.deadline = Steady::now() + (connection.unread.empty() ? kIdleTime : kHeadTime);
    connection.has_come = true;
    return arrive(std::move(connection));
  }
  end_gently(connection.socket.get());
}

}  // namespace backstay::api
