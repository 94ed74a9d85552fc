#include "gateway/exchange.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <future>
#include <thread>

namespace backstay::gateway {
namespace {

using traffic::Ending;

constexpr std::string_view kHead = "POST /m HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A backend that does with its connections what a test says, on a thread of its own.
class ScriptedBackend {
 public:
  explicit ScriptedBackend(std::function<void(const ScriptedBackend&)> script)
      : listener_(*listen_on({0x7f000001, 0})),
        address_(local_address(listener_)),
        thread_([this, script = std::move(script)] { script(*this); }) {}
  ~ScriptedBackend() { thread_.join(); }

  Address address() const { return address_; }
  Descriptor accept() const {
    pollfd wait{listener_.get(), POLLIN, 0};
    poll(&wait, 1, -1);
    return Descriptor(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  static void read_request(const Descriptor& connection) {
    std::string got;
    std::array<char, 1024> buffer;
    while (got.size() < kHead.size() + 2) {
      const ssize_t bytes = recv(connection.get(), buffer.data(), buffer.size(), 0);
      if (bytes <= 0) return;
      got.append(buffer.data(), static_cast<std::size_t>(bytes));
    }
  }
  static void answer(const Descriptor& connection) {
    send(connection.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
  }

 private:
  Descriptor listener_;
  Address address_;
  std::thread thread_;
};

class ExchangeTest : public ::testing::Test {
 protected:
  /// One call, to its end; its connection goes back to the pool.
  Ending call(const Address& address, std::function<void()> meanwhile) {
    std::optional<Ending> ending;
    run_detached(run(address, std::move(meanwhile), ending));
    while (!ending) reactor_.run_once();
    return *ending;
  }

 private:
  Task<void> run(Address address, std::function<void()> meanwhile, std::optional<Ending>& ending) {
    Exchange exchange(reactor_, pool_, scratch_);
    Exchange::Call call;
    call.address = address;
    call.head = kHead;
    call.body = "{}";
    call.deadline = reactor_.now() + seconds(20);
    call.meanwhile = std::move(meanwhile);
    const Ending ended = co_await exchange.call(call);
    exchange.finish();
    ending = ended;
  }

  Reactor reactor_;
  UpstreamPool pool_{reactor_};
  http1::ResponseHead scratch_;
};

TEST_F(ExchangeTest, WhatIsDoneMeanwhileIsDoneWhileTheBackendWorks) {
  std::promise<void> done;
  // The backend has the request and answers it only when the other work is done: otherwise neither ever ends.
  ScriptedBackend backend([&](const ScriptedBackend& self) {
    const Descriptor connection = self.accept();
    ScriptedBackend::read_request(connection);
    done.get_future().wait();
    ScriptedBackend::answer(connection);
  });
  int times = 0;
  EXPECT_EQ(call(backend.address(),
                 [&] {
                   ++times;
                   done.set_value();
                 }),
            Ending::kAnswered);
  EXPECT_EQ(times, 1);
}

TEST_F(ExchangeTest, AConnectionThatTurnsOutToBeClosedDoesNotHaveItDoneTwice) {
  ScriptedBackend backend([](const ScriptedBackend& self) {
    {
      const Descriptor first = self.accept();
      ScriptedBackend::read_request(first);
      ScriptedBackend::answer(first);
      ScriptedBackend::read_request(first);
    }
    const Descriptor second = self.accept();
    ScriptedBackend::read_request(second);
    ScriptedBackend::answer(second);
  });
  ASSERT_EQ(call(backend.address(), nullptr), Ending::kAnswered);
  int times = 0;
  EXPECT_EQ(call(backend.address(), [&] { ++times; }), Ending::kAnswered);
  EXPECT_EQ(times, 1);
}

TEST_F(ExchangeTest, NothingIsDoneForABackendThatNeverGotTheRequest) {
  Address nobody;
  {
    const Descriptor listener = *listen_on({0x7f000001, 0});
    nobody = local_address(listener);
  }
  int times = 0;
  EXPECT_EQ(call(nobody, [&] { ++times; }), Ending::kConnectFailed);
  EXPECT_EQ(times, 0);
}

}  // namespace
}  // namespace backstay::gateway
