#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <vector>

#include "gateway/socket.hpp"

/// bench-relay LISTEN BACKEND: the floor that proxies are compared with. Bytes go from one socket to the other without
/// being looked at: recv and send on either side and nothing else.

namespace {

using namespace backstay;

struct Pair;
/// One of the two sockets of a relayed connection.
struct Side {
  Descriptor socket;
  Side* other = nullptr;
  Pair* pair = nullptr;
};
struct Pair {
  Side client;
  Side backend;
};

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "error: {}\n", why);
  std::exit(1);
}

void watch(const Descriptor& epoll, int fd, void* what, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = what;
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

// False: the connection has ended.
bool relay(Side& from, std::vector<char>& buffer) {
  const ssize_t got = recv(from.socket.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN) return true;
  if (got <= 0) return false;
  // Waiting for room would be code that no small message ever needs.
  if (send(from.other->socket.get(), buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) != got)
    fail("a message didn't fit into a socket's buffer");
  return true;
}

std::unique_ptr<Pair> accept_pair(const Descriptor& listener, const gateway::Address& backend) {
  auto client = gateway::accept_connection(listener.get());
  if (!client || !*client) return nullptr;
  auto upstream = gateway::start_connect(backend);
  if (!upstream) fail(upstream.error().message);
  auto pair = std::make_unique<Pair>();
  pair->client = {*std::move(client), &pair->backend, pair.get()};
  pair->backend = {*std::move(upstream), &pair->client, pair.get()};
  return pair;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) fail("usage: bench-relay LISTEN BACKEND");
  const auto listen = gateway::Address::parse(argv[1]);
  const auto backend = gateway::Address::parse(argv[2]);
  if (!listen || !backend) fail("an address is not IPv4:PORT");
  const auto listener = gateway::listen_on(*listen);
  if (!listener) fail(listener.error().message);
  const Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  watch(epoll, listener->get(), nullptr, EPOLLIN);

  std::vector<char> buffer(64 * 1024);
  std::array<epoll_event, 256> events;
  std::vector<std::unique_ptr<Pair>> ended;
  while (true) {
    const int count = epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      auto* side = static_cast<Side*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (side == nullptr) {
        // Owned by its two sockets: freed below when one of them ends.
        if (Pair* pair = accept_pair(*listener, *backend).release()) {
          // Loopback connects before the request is read; the client's bytes wait in its socket until then.
          watch(epoll, pair->backend.socket.get(), &pair->backend, EPOLLIN | EPOLLRDHUP | EPOLLET);
          watch(epoll, pair->client.socket.get(), &pair->client, EPOLLIN | EPOLLRDHUP | EPOLLET);
        }
      } else if (side->socket && !relay(*side, buffer)) {
        // Kept to the end of the batch, in which the other socket may have an event too.
        ended.emplace_back(side->pair);
        side->other->socket.reset();
        side->socket.reset();
      }
    }
    ended.clear();
  }
}
