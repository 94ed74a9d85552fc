#include "serving/health_probe.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace backstay::serving {

HealthProbe::HealthProbe(const std::string& host, std::uint16_t port, const std::string& path, Monotonic deadline)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      impossible_(!socket_ && (errno == EMFILE || errno == ENFILE)),
      request_(fmt::format("GET {} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\r\n", path, host, port)),
      deadline_(deadline) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  const bool ok = socket_ && inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1 &&
                  (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
                   errno == EINPROGRESS);
  if (!ok) socket_.reset();
}

short HealthProbe::events() const {
  return request_.empty() ? POLLIN : POLLOUT;
}

std::optional<int> HealthProbe::advance(Monotonic now) {
  if (!socket_ || now >= deadline_) return 0;
  if (!request_.empty()) {
    const ssize_t sent = send(socket_.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN ? std::nullopt : std::optional(0);
    request_.erase(0, static_cast<std::size_t>(sent));
    return std::nullopt;
  }
  char piece[512];
  const ssize_t size = recv(socket_.get(), piece, sizeof piece, 0);
  if (size < 0) return errno == EAGAIN ? std::nullopt : std::optional(0);
  answer_.append(piece, static_cast<std::size_t>(size));
  // "HTTP/1.1 200"
  constexpr std::size_t kEnough = 12;
  if (answer_.size() < kEnough) return size == 0 ? std::optional(0) : std::nullopt;
  int status = 0;
  const auto parsed = std::from_chars(answer_.data() + 9, answer_.data() + kEnough, status);
  return answer_.starts_with("HTTP/1.") && parsed.ptr == answer_.data() + kEnough ? status : 0;
}

}  // namespace backstay::serving
