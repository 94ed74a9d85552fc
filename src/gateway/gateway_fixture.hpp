#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gateway/gateway.hpp"

/// What the tests of a whole gateway have in common: backends, a client, and the gateway between them.
namespace backstay::gateway {

using traffic::Ending;
using traffic::Outcome;
using traffic::Role;

inline int connect_to(const Address& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(address.ip);
  where.sin_port = htons(address.port);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
  return fd;
}

inline void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// One message with a Content-Length (or up to the close); what follows it stays in `left`.
inline std::string read_message(int fd, std::string& left) {
  std::array<char, 65536> buffer;
  std::size_t want = std::string::npos;
  while (left.size() < want) {
    if (const std::size_t end = left.find("\r\n\r\n"); want == std::string::npos && end != std::string::npos) {
      const std::size_t at = left.find("Content-Length: ");
      want = end + 4 + (at < end ? std::stoul(left.substr(at + 16)) : 0);
      if (left.find("Transfer-Encoding: chunked") < end)
        want = left.find("0\r\n\r\n", end) == std::string::npos ? std::string::npos : left.size();
      if (left.size() >= want) break;
    }
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) return std::exchange(left, {});
    left.append(buffer.data(), static_cast<std::size_t>(got));
  }
  std::string message = left.substr(0, want);
  left.erase(0, want);
  return message;
}

// A model server for tests: `answer` turns a request into the bytes to send back; empty = close without an answer.
class TestBackend {
 public:
  explicit TestBackend(std::function<std::string(const std::string&)> answer)
      : TestBackend([answer = std::move(answer)](const std::string& request, int) { return answer(request); }) {}
  // One that may send some of its answer itself, before the rest of it is returned.
  explicit TestBackend(std::function<std::string(const std::string&, int socket)> answer) : answer_(std::move(answer)) {
    auto socket = listen_on({0x7f000001, 0});
    listener_ = *std::move(socket);
    address_ = local_address(listener_);
    thread_ = std::thread([this] { run(); });
  }
  ~TestBackend() {
    stop_ = true;
    close(connect_to(address_));
    thread_.join();
    for (int fd : connections_) shutdown(fd, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
  }
  Address address() const { return address_; }
  int requests() const { return requests_; }

 private:
  void run() {
    while (!stop_) {
      pollfd wait{listener_.get(), POLLIN, 0};
      poll(&wait, 1, -1);
      const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      connections_.push_back(fd);
      threads_.emplace_back([this, fd] { serve(fd); });
    }
  }
  void serve(int fd) {
    std::string left;
    while (true) {
      const std::string request = read_message(fd, left);
      if (request.empty()) break;
      ++requests_;
      const std::string response = answer_(request, fd);
      send_all(fd, response);
      if (response.empty() || response.find("Connection: close") != std::string::npos) break;
    }
    shutdown(fd, SHUT_RDWR);
  }

  std::function<std::string(const std::string&, int)> answer_;
  Descriptor listener_;
  Address address_;
  std::atomic<bool> stop_{false};
  std::atomic<int> requests_{0};
  std::thread thread_;
  std::vector<int> connections_;
  std::vector<std::thread> threads_;
};

inline std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::string post(const std::string& body, const std::string& fields = "") {
  return "POST /m/infer HTTP/1.1\r\nHost: a\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

class GatewayTest : public ::testing::Test {
 protected:
  void start(EndpointConfig endpoint = {}) {
    endpoint.name = "m";
    endpoint.routes = {"/m"};
    GatewayConfig config;
    config.threads = 1;
    config.endpoints = {endpoint};
    if (endpoint.examine_ppm > 0) config.answers = &answers;
    auto made = Gateway::create(config, cell, [this] {
      const std::lock_guard lock(mutex);
      woken = true;
      changed.notify_all();
    });
    ASSERT_TRUE(made);
    gateway = *std::move(made);
    gateway->start();
  }
  void route(std::uint32_t candidate_ppm, const Address& stable, const Address& candidate) {
    directory.set_address("m", "1.0.0", stable);
    directory.set_address("m", "2.0.0", candidate);
    traffic::Split split;
    split.arms = {{"1.0.0", Role::kStable, traffic::kWhole - candidate_ppm}};
    if (candidate_ppm > 0) split.arms.push_back({"2.0.0", Role::kCandidate, candidate_ppm});
    split.fallback = "1.0.0";
    directory.publish("m", split);
  }
  /// Stable answers, and a copy of every request goes to the shadow version.
  traffic::Split shadow_all(const Address& stable, const Address& shadow) {
    directory.set_address("m", "1.0.0", stable);
    directory.set_address("m", "2.0.0", shadow);
    traffic::Split split;
    split.arms = {{"1.0.0", Role::kStable, traffic::kWhole}};
    split.fallback = "1.0.0";
    split.shadow = "2.0.0";
    split.shadow_ppm = traffic::kWhole;
    directory.publish("m", split);
    return split;
  }
  std::string ask(const std::string& request) {
    const int fd = connect_to(gateway->address());
    send_all(fd, request);
    std::string left;
    std::string response = read_message(fd, left);
    close(fd);
    return response;
  }
  // Copies are made after the answer was given: the one gateway thread is done with them when it answers again.
  void settle() { ask("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"); }
  // Waits for the outcomes by the same signal the monitor waits on.
  std::vector<Outcome> outcomes(std::size_t count) {
    std::vector<Outcome> all;
    while (true) {
      gateway->drain([&](const Outcome& outcome) { all.push_back(outcome); });
      if (all.size() >= count) return all;
      std::unique_lock lock(mutex);
      woken = false;
      lock.unlock();
      if (!gateway->prepare_to_sleep()) continue;
      lock.lock();
      changed.wait(lock, [this] { return woken; });
    }
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool woken = false;
  RoutingCell cell;
  RoutingDirectory directory{cell, {"m"}};
  AnswerQueue answers;
  std::unique_ptr<Gateway> gateway;
};

}  // namespace backstay::gateway
