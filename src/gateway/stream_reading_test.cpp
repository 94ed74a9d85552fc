#include "gateway/stream_reading.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <latch>

#include "domain/traffic/text_value.hpp"
#include "domain/traffic/unknown_value.hpp"
#include "gateway/gateway_fixture.hpp"

namespace backstay::gateway {
namespace {

std::string chunk(std::string_view content) {
  std::array<char, 16> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", content.size());
  return std::string(size.data()).append(content).append("\r\n");
}

constexpr const char* kStreamHead =
    "HTTP/1.1 200 OK\r\nX-Load: 0.5\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: "
    "chunked\r\n\r\n";
constexpr const char* kFirstEvents = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: {\"usage\":{\"to";
constexpr const char* kLastEvents = "kens\":9}}\n\ndata: [DONE]\n\n";

class StreamTest : public GatewayTest {
 protected:
  void SetUp() override {
    endpoint.values = {{"/usage/tokens", ""}, {"", "x-load"}, {"/usage/other", ""}};
    endpoint.examine_ppm = traffic::kWhole;
  }
  std::vector<std::shared_ptr<const AnswerSample>> copies() {
    settle();
    std::vector<std::shared_ptr<const AnswerSample>> got;
    answers.drain([&](auto sample) { got.push_back(std::move(sample)); });
    return got;
  }
  static void expect_values(const Outcome& outcome) {
    EXPECT_EQ(outcome.ending, Ending::kAnswered);
    EXPECT_EQ(outcome.values[0], 9);
    EXPECT_EQ(outcome.values[1], 0.5F);
    EXPECT_TRUE(std::isnan(outcome.values[2]));
  }
  EndpointConfig endpoint;
};

TEST_F(StreamTest, IsNotHeldAndItsNumbersAndACopyOfItAreTakenAsItGoesBy) {
  std::latch has_first(1);
  TestBackend stable([&](const std::string&, int socket) {
    send_all(socket, kStreamHead + chunk(kFirstEvents));
    has_first.wait();
    return chunk(kLastEvents) + "0\r\n\r\n";
  });
  start(endpoint);
  route(0, stable.address(), {});
  const int fd = connect_to(gateway->address());
  send_all(fd, post("x"));
  std::string left;
  std::array<char, 4096> buffer;
  while (left.find("Hi") == std::string::npos) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    ASSERT_GT(got, 0);
    left.append(buffer.data(), static_cast<std::size_t>(got));
  }
  has_first.count_down();
  EXPECT_TRUE(read_message(fd, left).ends_with(chunk(kLastEvents) + "0\r\n\r\n"));
  close(fd);
  const Outcome outcome = outcomes(1).front();
  expect_values(outcome);
  const auto got = copies();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0]->kind, BodyKind::kEventStream);
  EXPECT_EQ(got[0]->body, std::string(kFirstEvents) + kLastEvents);
  EXPECT_EQ(got[0]->outcome.prediction, outcome.prediction);
  EXPECT_EQ(answers.missed(), 0u);
}

TEST_F(StreamTest, ThatComesAtOnceIsReadAsOneThatComesInPieces) {
  TestBackend stable(
      [](const std::string&) { return kStreamHead + chunk(kFirstEvents) + chunk(kLastEvents) + "0\r\n\r\n"; });
  start(endpoint);
  route(0, stable.address(), {});
  ask(post("x"));
  expect_values(outcomes(1).front());
  const auto got = copies();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0]->kind, BodyKind::kEventStream);
  EXPECT_EQ(got[0]->body, std::string(kFirstEvents) + kLastEvents);
}

TEST_F(StreamTest, HasEachValueFromTheLastEventThatHasIt) {
  std::string ending = R"("stop")";
  bool usage = true;
  std::string fields;
  TestBackend stable([&](const std::string&) {
    const std::string events =
        "data: {\"choices\":[{\"finish_reason\":null}]}\n\ndata: {\"choices\":[{\"finish_reason\":" + ending +
        "}],\"usage\":null}\n\n" + (usage ? "data: {\"choices\":[],\"usage\":{\"tokens\":9}}\n\n" : "") +
        "data: [DONE]\n\n";
    return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + fields +
           "Content-Length: " + std::to_string(events.size()) + "\r\n\r\n" + events;
  });
  endpoint.values = {{"/usage/tokens", ""}, {"/choices/0/finish_reason", ""}};
  start(endpoint);
  route(0, stable.address(), {});
  ask(post("x"));
  Outcome outcome = outcomes(1).front();
  EXPECT_EQ(outcome.values[0], 9);
  EXPECT_EQ(outcome.values[1], traffic::text_number("stop"));
  usage = false;
  ending = R"("length")";
  ask(post("x"));
  outcome = outcomes(1).front();
  EXPECT_TRUE(std::isnan(outcome.values[0]) && !traffic::is_unread(outcome.values[0]));
  EXPECT_EQ(outcome.values[1], traffic::text_number("length"));
  fields = "Content-Encoding: br\r\n";
  ask(post("x"));
  outcome = outcomes(1).front();
  EXPECT_TRUE(traffic::is_unread(outcome.values[0]) && traffic::is_unread(outcome.values[1]));
}

TEST_F(StreamTest, ThatIsTooLongOrBreaksOffIsMissedByTheExaminers) {
  const std::string comments = ":" + std::string(400'000, 'c') + "\n";  // More than is read at once.
  std::atomic<bool> breaks{false};
  TestBackend stable([&](const std::string&) {
    return kStreamHead + chunk(comments) + chunk(kFirstEvents) +
           (breaks ? std::string("zz\r\nConnection: close") : chunk(kLastEvents) + "0\r\n\r\n");
  });
  endpoint.examine_stream_bytes = 300'000;
  start(endpoint);
  route(0, stable.address(), {});
  ask(post("x"));
  expect_values(outcomes(1).front());
  breaks = true;
  ask(post("x"));
  const Outcome broken = outcomes(1).front();
  EXPECT_EQ(broken.ending, Ending::kBroken);
  EXPECT_TRUE(std::isnan(broken.values[0]));
  EXPECT_TRUE(copies().empty());
  EXPECT_EQ(answers.missed(), 2u);
}

TEST_F(StreamTest, OfAShadowIsReadToItsEnd) {
  const std::string comments = ":" + std::string(400'000, 'c') + "\n\n";
  TestBackend stable([](const std::string&) { return ok("s"); });
  TestBackend shadow([&](const std::string&) {
    return kStreamHead + chunk(comments) + chunk(kFirstEvents) + chunk(kLastEvents) + "0\r\n\r\n";
  });
  start(endpoint);
  shadow_all(stable.address(), shadow.address());
  ask(post("x"));
  const auto seen = outcomes(2);
  EXPECT_EQ(seen[1].role, Role::kShadow);
  EXPECT_GT(seen[1].response_bytes, 400'000u);
  expect_values(seen[1]);
  std::vector<std::shared_ptr<const AnswerSample>> got = copies();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0]->body, "s");
  EXPECT_EQ(got[1]->body, comments + kFirstEvents + kLastEvents);
}

TEST_F(StreamTest, OfAShadowThatBreaksOffIsAFailureOfIt) {
  TestBackend stable([](const std::string&) { return ok("s"); });
  TestBackend shadow([&](const std::string&, int socket) {
    send_all(socket, kStreamHead + chunk(kFirstEvents));
    return std::string();
  });
  start(endpoint);
  shadow_all(stable.address(), shadow.address());
  ask(post("x"));
  const auto seen = outcomes(2);
  EXPECT_EQ(seen[1].ending, Ending::kBroken);
  EXPECT_TRUE(is_error(seen[1]));
  EXPECT_EQ(copies().size(), 1u);
  EXPECT_EQ(answers.missed(), 1u);
}

}  // namespace
}  // namespace backstay::gateway
