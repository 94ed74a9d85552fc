#include "gateway/socket.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace backstay::gateway {

namespace {

constexpr int kBacklog = 4096;

sockaddr_in to_sockaddr(const Address& address) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(address.ip);
  out.sin_port = htons(address.port);
  return out;
}

// The one cast the sockets interface asks for.
sockaddr* generic(sockaddr_in* address) {
  return reinterpret_cast<sockaddr*>(address);
}

void disable_nagle(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  Address address;
  in_addr ip{};
  bool good = colon != std::string_view::npos;
  if (good) {
    const std::string host(text.substr(0, colon));
    const std::string_view port = text.substr(colon + 1);
    const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    good = inet_pton(AF_INET, host.c_str(), &ip) == 1 && problem == std::errc{} && end == port.data() + port.size();
  }
  if (!good) {
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is not an IPv4 address and port.", text),
                      "Write it like 127.0.0.1:8080, or 0.0.0.0:8080 for all interfaces.");
  }
  address.ip = ntohl(ip.s_addr);
  return address;
}

std::string Address::str() const {
  return fmt::format("{}.{}.{}.{}:{}", ip >> 24, (ip >> 16) & 255, (ip >> 8) & 255, ip & 255, port);
}

Result<Descriptor> listen_on(const Address& address) {
  Descriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Unexpected(error_from_errno(errno, "cannot make a socket"));
  int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where = to_sockaddr(address);
  if (bind(fd.get(), generic(&where), sizeof where) != 0 || listen(fd.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE) {
      return Unexpected(ErrorCode::kUnavailable, fmt::format("{} is in use by another program.", address.str()),
                        "Stop that program or choose another address in the configuration (`listen`).");
    }
    return Unexpected(error_from_errno(errno, "cannot listen on " + address.str()));
  }
  return fd;
}

Address local_address(const Descriptor& socket) {
  sockaddr_in where{};
  socklen_t size = sizeof where;
  if (getsockname(socket.get(), generic(&where), &size) != 0) return {};
  return {ntohl(where.sin_addr.s_addr), ntohs(where.sin_port)};
}

Result<Descriptor> start_connect(const Address& address) {
  Descriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Unexpected(error_from_errno(errno, "cannot make a socket"));
  disable_nagle(fd.get());
  sockaddr_in where = to_sockaddr(address);
  if (connect(fd.get(), generic(&where), sizeof where) != 0 && errno != EINPROGRESS) {
    return Unexpected(error_from_errno(errno, "cannot connect to " + address.str()));
  }
  return fd;
}

Result<Descriptor> accept_connection(int listener) {
  Descriptor fd(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) {
    disable_nagle(fd.get());
    return fd;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    return Unexpected(ErrorCode::kResourceExhausted, "There is no file descriptor left for a connection.");
  }
  return Descriptor();  // Would block, or the peer left already.
}

}  // namespace backstay::gateway
