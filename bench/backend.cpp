#include "backend.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>

namespace backstay::bench {

namespace {

constexpr std::size_t kAnswerBytes = 322;
constexpr std::size_t kReadBufferBytes = 64 * 1024;

std::string make_answer() {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
  const std::string_view end = "\r\n\r\n";
  const std::size_t body_size = kAnswerBytes - head.size() - 3 - end.size();
  std::string body = R"({"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[0.25]}],"note":")";
  body.append(body_size - body.size() - 2, 'x').append("\"}");
  return head + std::to_string(body_size) + std::string(end) + body;
}

// The size of the request at the front of `input`; 0: not all of it is there.
std::size_t request_size(std::string_view input) {
  const std::size_t head_end = input.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return 0;
  std::size_t size = head_end + 4;
  // Without the first letter of "Length" its case doesn't matter; proxies differ in it.
  constexpr std::string_view kLength = "ength: ";
  const std::size_t field = input.substr(0, head_end).find(kLength);
  if (field != std::string_view::npos) {
    std::size_t body = 0;
    std::from_chars(input.data() + field + kLength.size(), input.data() + head_end, body);
    size += body;
  }
  return size <= input.size() ? size : 0;
}

void watch(const Descriptor& epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

std::string_view small_answer(Monotonic) {
  static const std::string kAnswer = make_answer();
  return kAnswer;
}

std::string_view failure() {
  return "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
}

Backend::Backend(bool stamps_arrivals)
    : stamps_arrivals_(stamps_arrivals),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      read_buffer_(kReadBufferBytes) {
  watch(epoll_, wake_.get());
}

Result<gateway::Address> Backend::listen(const gateway::Address& address, Answer answer) {
  TRY(Descriptor socket, gateway::listen_on(address));
  const int fd = socket.get();
  watch(epoll_, fd);
  Listener& listener = listeners_[fd] = {std::move(socket), std::move(answer)};
  return gateway::local_address(listener.socket);
}

void Backend::run() {
  std::array<epoll_event, 256> events;
  while (!stopping_) {
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      const auto connection = connections_.find(fd);
      if (connection == connections_.end()) {
        const auto listener = listeners_.find(fd);
        if (listener != listeners_.end()) accept_from(listener->second);
      } else if (!serve(connection->second)) {
        connections_.erase(connection);
      }
    }
  }
}

void Backend::stop() {
  stopping_ = true;
  const std::uint64_t one = 1;
  static_cast<void>(!write(wake_.get(), &one, sizeof one));
}

void Backend::accept_from(const Listener& listener) {
  auto socket = gateway::accept_connection(listener.socket.get());
  if (!socket || !*socket) return;
  const int fd = socket->get();
  const int on = 1;
  if (stamps_arrivals_) setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  connections_[fd] = {*std::move(socket), &listener.answer, {}};
  watch(epoll_, fd);
}

ssize_t Backend::read(const Descriptor& socket, Monotonic& arrived) {
  if (!stamps_arrivals_) return recv(socket.get(), read_buffer_.data(), read_buffer_.size(), 0);
  iovec piece{read_buffer_.data(), read_buffer_.size()};
  alignas(cmsghdr) std::array<char, 256> control;
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(socket.get(), &message, 0);
  arrived = std::chrono::steady_clock::now();
  for (const cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
       item = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(item))) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SO_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(item), sizeof stamp);
    // The stamp is of the wall clock: how long ago it was is the same by both.
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    arrived -= since_epoch - (seconds(stamp.tv_sec) + nanoseconds(stamp.tv_nsec));
  }
  return got;
}

// False: the connection has ended.
bool Backend::serve(Connection& connection) {
  Monotonic arrived;
  const ssize_t got = read(connection.socket, arrived);
  if (got <= 0) return false;
  std::string_view input(read_buffer_.data(), static_cast<std::size_t>(got));
  if (!connection.input.empty()) input = connection.input.append(input);
  while (const std::size_t size = request_size(input)) {
    input.remove_prefix(size);
    const std::string_view answer = (*connection.answer)(arrived);
    // Answers are far smaller than a socket's buffer, so one that doesn't fit means a client that doesn't read.
    if (send(connection.socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(answer.size()))
      return false;
  }
  connection.input = std::string(input);
  return true;
}

}  // namespace backstay::bench
