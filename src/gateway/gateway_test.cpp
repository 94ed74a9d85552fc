#include "gateway/gateway.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <latch>
#include <mutex>
#include <thread>

#include "gateway/gateway_fixture.hpp"

namespace backstay::gateway {
namespace {

TEST_F(GatewayTest, ForwardsBytesUntouchedAndSaysWhichVersionAnswered) {
  std::string seen;
  TestBackend stable([&](const std::string& request) {
    seen = request;
    return ok("{\"y\": 1.50}");
  });
  start();
  route(0, stable.address(), {});
  const std::string response = ask(post("{ \"x\" : 1.0 }", "X-Request-Id: 7\r\nConnection: keep-alive\r\n"));
  EXPECT_NE(response.find("\r\nBackstay-Version: 1.0.0\r\n"), std::string::npos) << response;
  EXPECT_NE(response.find("\r\n\r\n{\"y\": 1.50}"), std::string::npos);
  EXPECT_NE(seen.find("\r\n\r\n{ \"x\" : 1.0 }"), std::string::npos);
  EXPECT_NE(seen.find("X-Request-Id: 7\r\n"), std::string::npos);
  EXPECT_EQ(seen.find("Connection:"), std::string::npos);
  const Outcome outcome = outcomes(1).front();
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(outcome.ending, Ending::kAnswered);
  EXPECT_EQ(directory.named(outcome.version).version, "1.0.0");
}

TEST_F(GatewayTest, ServesManyRequestsOnOneConnectionAlsoWhenTheyArriveAtOnce) {
  TestBackend stable([](const std::string& request) { return ok(request.substr(request.find("\r\n\r\n") + 4)); });
  start();
  route(0, stable.address(), {});
  const int fd = connect_to(gateway->address());
  send_all(fd, post("one") + post("two") + post("three"));
  std::string left;
  for (const char* body : {"one", "two", "three"}) {
    const std::string response = read_message(fd, left);
    EXPECT_EQ(response.substr(response.size() - std::strlen(body)), body);
  }
  close(fd);
}

// What can go wrong with a candidate; the client must see none of it.
struct Failure {
  const char* name;
  std::function<std::string(const std::string&)> answer;
  Ending ending;
};

class CandidateFailure : public GatewayTest, public ::testing::WithParamInterface<Failure> {};

TEST_P(CandidateFailure, IsReplayedOnStable) {
  TestBackend stable([](const std::string&) { return ok("good"); });
  TestBackend candidate(GetParam().answer);
  EndpointConfig endpoint;
  endpoint.try_timeout = milliseconds(200);
  start(endpoint);
  route(traffic::kWhole, stable.address(), candidate.address());
  // All to the candidate, with stable as the fallback only.
  traffic::Split split;
  split.arms = {{"1.0.0", Role::kStable, 0}, {"2.0.0", Role::kCandidate, traffic::kWhole}};
  split.fallback = "1.0.0";
  directory.publish("m", split);
  const std::string response = ask(post("x"));
  EXPECT_EQ(response.rfind("HTTP/1.1 200", 0), 0U) << response;
  EXPECT_NE(response.find("Backstay-Version: 1.0.0"), std::string::npos);
  EXPECT_EQ(response.substr(response.size() - 4), "good");
  const std::vector<Outcome> seen = outcomes(2);
  EXPECT_EQ(seen[0].ending, GetParam().ending);
  EXPECT_TRUE(seen[0].replayed);
  EXPECT_TRUE(is_error(seen[0]));
  EXPECT_EQ(seen[0].role, Role::kCandidate);
  EXPECT_TRUE(seen[1].fallback);
  EXPECT_FALSE(is_error(seen[1]));
  EXPECT_EQ(gateway->counters().replayed, 1U);
  EXPECT_EQ(gateway->counters().failed, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, CandidateFailure,
    ::testing::Values(
        Failure{"status", [](const std::string&) { return std::string("HTTP/1.1 500 E\r\nContent-Length: 0\r\n\r\n"); },
                Ending::kAnswered},
        Failure{"closes", [](const std::string&) { return std::string(); }, Ending::kBroken},
        Failure{"truncates",
                [](const std::string&) {
                  return std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc");
                },
                Ending::kBroken},
        Failure{"garbage", [](const std::string&) { return std::string("no http\r\n\r\n"); }, Ending::kBroken},
        Failure{"bad_chunks",
                [](const std::string&) {
                  return std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdeX");
                },
                Ending::kBroken},
        Failure{"hangs",
                [](const std::string&) { return std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"); },
                Ending::kTimedOut}),
    [](const auto& failure) { return failure.param.name; });

TEST_F(GatewayTest, ACandidateWithoutABackendIsReplayedToo) {
  TestBackend stable([](const std::string&) { return ok("good"); });
  start();
  route(500'000, stable.address(), {});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(post("x")).rfind("HTTP/1.1 200", 0), 0U);
}

TEST_F(GatewayTest, AStickyKeyStaysOnItsVersion) {
  TestBackend stable([](const std::string&) { return ok("s"); });
  TestBackend candidate([](const std::string&) { return ok("c"); });
  EndpointConfig endpoint;
  endpoint.sticky_header = "X-User";
  endpoint.sticky_cookie = "user";
  start(endpoint);
  route(500'000, stable.address(), candidate.address());
  std::size_t on_candidate = 0;
  for (int user = 0; user < 40; ++user) {
    const std::string by_header = ask(post("x", "X-User: u" + std::to_string(user) + "\r\n"));
    const std::string by_cookie = ask(post("x", "Cookie: a=b; user=u" + std::to_string(user) + "\r\n"));
    EXPECT_EQ(by_header.back(), by_cookie.back());
    on_candidate += by_header.back() == 'c' ? 1 : 0;
  }
  EXPECT_GT(on_candidate, 5U);
  EXPECT_LT(on_candidate, 35U);
}

TEST_F(GatewayTest, ReadsValuesOutOfResponses) {
  TestBackend stable([](const std::string&) {
    return std::string(
        "HTTP/1.1 200 OK\r\nX-Safety: 0.25\r\nTransfer-Encoding: chunked\r\n\r\n"
        "10\r\n{\"a\":[{\"b\":0.75}\r\n2\r\n]}\r\n0\r\n\r\n");
  });
  EndpointConfig endpoint;
  endpoint.values = {{"/a/0/b", ""}, {"", "x-safety"}, {"/a/1/b", ""}};
  start(endpoint);
  route(0, stable.address(), {});
  ask(post("x"));
  const Outcome outcome = outcomes(1).front();
  EXPECT_FLOAT_EQ(outcome.values[0], 0.75F);
  EXPECT_FLOAT_EQ(outcome.values[1], 0.25F);
  EXPECT_TRUE(std::isnan(outcome.values[2]));
  EXPECT_EQ(outcome.response_bytes, 18U) << "without the chunks' framing";
}

TEST_F(GatewayTest, QuestionsAboutAModelAreAnsweredAndNoOutcomes) {
  TestBackend stable([](const std::string&) { return ok("{}"); });
  start();
  route(0, stable.address(), {});
  for (const char* target : {"/m/ready", "/m/health", "/m/metadata?full=1"})
    EXPECT_NE(ask("GET " + std::string(target) + " HTTP/1.1\r\nHost: m\r\n\r\n").find(" 200 "), std::string::npos);
  ask(post("x"));
  EXPECT_EQ(outcomes(1).size(), 1U) << "The others came before it.";
}

TEST_F(GatewayTest, WhatIsLookedIntoIsAskedForUncompressed) {
  std::string seen;
  TestBackend stable([&](const std::string& request) {
    seen = request;
    return ok("{\"s\":0.5}");
  });
  EndpointConfig endpoint;
  endpoint.values = {{"/s", ""}};
  start(endpoint);
  route(0, stable.address(), {});
  ask(post("x", "accept-Encoding: gzip, br\r\n"));
  EXPECT_EQ(seen.find("gzip"), std::string::npos) << seen;
  EXPECT_NE(seen.find("Accept-Encoding: identity\r\n"), std::string::npos) << seen;
  EXPECT_EQ(outcomes(1)[0].response_bytes, 9U) << "The body's, without its head.";
}

TEST_F(GatewayTest, StampsEachOutcomeWithTheMomentItsAnswerCame) {
  // All answers come at once, so that the gateway handles many of them in one turn of its loop.
  constexpr std::size_t kClients = 50;
  std::latch all_there(kClients);
  TestBackend stable([&](const std::string&) {
    all_there.arrive_and_wait();
    return ok("s");
  });
  start();
  route(0, stable.address(), {});
  std::vector<int> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(connect_to(gateway->address()));
    send_all(clients.back(), post("x"));
  }
  const std::vector<Outcome> seen = outcomes(kClients);
  for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_LT(seen[i - 1].at, seen[i].at) << i;
  for (int fd : clients) close(fd);
}

TEST_F(GatewayTest, MirrorsACopyToTheShadowAndAnswersFromStable) {
  TestBackend stable([](const std::string&) { return ok("s"); });
  TestBackend shadow([](const std::string&) { return std::string("HTTP/1.1 500 E\r\nContent-Length: 0\r\n\r\n"); });
  start();
  shadow_all(stable.address(), shadow.address());
  EXPECT_EQ(ask(post("x")).back(), 's');
  const std::vector<Outcome> seen = outcomes(2);
  EXPECT_EQ(seen[0].role, Role::kStable);
  EXPECT_EQ(seen[1].role, Role::kShadow);
  EXPECT_EQ(seen[1].status, 500);
  EXPECT_EQ(seen[0].prediction, seen[1].prediction);
}

TEST_F(GatewayTest, MirrorsAlsoWhatStableFailedAndTellsWhichRequestsHaveACopy) {
  TestBackend stable([](const std::string&) { return std::string(); });  // Breaks off.
  TestBackend shadow([](const std::string&) { return ok("c"); });
  start();
  traffic::Split split = shadow_all(stable.address(), shadow.address());
  ask(post("x"));
  const std::vector<Outcome> pair = outcomes(2);
  EXPECT_EQ(pair[0].ending, Ending::kBroken);
  EXPECT_EQ(pair[1].role, Role::kShadow);
  for (const Outcome& outcome : pair) EXPECT_EQ(outcome.candidate_ppm, traffic::kWhole / 2);
  split.shadow_ppm = 1;  // All but one in a million have none.
  directory.publish("m", split);
  ask(post("x"));
  EXPECT_EQ(outcomes(1)[0].candidate_ppm, 0U);
}

TEST_F(GatewayTest, APredictionIdNamesTheVersionThatAnswered) {
  TestBackend stable([](const std::string&) { return ok("s"); });
  TestBackend candidate([](const std::string&) { return std::string("HTTP/1.1 500 E\r\nContent-Length: 0\r\n\r\n"); });
  start();
  directory.set_serving("m", "1.0.0", 7);
  directory.set_serving("m", "2.0.0", 8);
  route(traffic::kWhole - 1, stable.address(), candidate.address());
  const std::string response = ask(post("x"));
  const std::size_t at = response.find("Backstay-Prediction-Id: ");
  ASSERT_NE(at, std::string::npos) << response;
  const auto id = traffic::PredictionId::parse(response.substr(at + 24, 32)).value();
  const std::vector<Outcome> seen = outcomes(2);
  EXPECT_TRUE(seen[0].replayed);
  EXPECT_EQ(seen[0].prediction.serving(), 8u);
  EXPECT_EQ(seen[1].prediction.serving(), 7u);
  EXPECT_EQ(seen[1].prediction, id);
  EXPECT_EQ(seen[0].prediction.low, id.low);
  EXPECT_LT(system_clock().now() - id.at(), seconds(10));
}

TEST_F(GatewayTest, NumbersOfTheRequestAreRecordedWithEveryOutcomeOfIt) {
  TestBackend stable([](const std::string&) { return ok(R"({"score":0.5})"); });
  TestBackend broken([](const std::string&) { return std::string(); });
  EndpointConfig endpoint;
  using Of = ValueSource::Of;
  endpoint.values = {{"/score", ""}, {"/price", "", "", {}, Of::kRequest}, {"", "x-age", "", {}, Of::kRequest}};
  endpoint.replay_bytes = 3 * 1024 * 1024;
  start(endpoint);
  route(999'999, stable.address(), broken.address());
  ask(post(R"({"price":9.5})", "X-Age: 41\r\n"));
  const auto seen = outcomes(2);
  EXPECT_TRUE(std::isnan(seen[0].values[0])) << "the candidate gave no answer";
  EXPECT_EQ(seen[1].values[0], 0.5F);
  for (const Outcome& outcome : seen) {
    EXPECT_EQ(outcome.values[1], 9.5F);
    EXPECT_EQ(outcome.values[2], 41);
  }
  ask("POST /m/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
      "chunked\r\n\r\n9\r\n{\"price\":\r\n2\r\n7}\r\n0\r\n\r\n");
  EXPECT_EQ(outcomes(2)[1].values[1], 7);
  ask(post(R"({"price":3,"text":")" + std::string(2'000'000, 'x') + "\"}"));
  const auto large = outcomes(2);
  EXPECT_TRUE(std::isnan(large[1].values[1])) << "too long to be looked into";
  EXPECT_EQ(large[1].values[0], 0.5F);
}

TEST_F(GatewayTest, ACopyAtTheShadowCarriesTheNumbersOfItsRequest) {
  TestBackend stable([](const std::string&) { return ok(R"({"score":0.5})"); });
  TestBackend shadow([](const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{\"score\":0.7}\r\n0\r\n\r\n");
  });
  EndpointConfig endpoint;
  endpoint.values = {{"/score", ""}, {"/price", "", "", {}, ValueSource::Of::kRequest}};
  start(endpoint);
  shadow_all(stable.address(), shadow.address());
  ask(post(R"({"price":9.5})"));
  const auto seen = outcomes(2);
  EXPECT_EQ(seen[0].values[1], 9.5F);
  EXPECT_EQ(seen[1].role, Role::kShadow);
  EXPECT_EQ(seen[1].values[0], 0.7F);
  EXPECT_EQ(seen[1].values[1], 9.5F);
}

TEST_F(GatewayTest, ALargeRequestGoesToStableInPiecesDuringARollout) {
  TestBackend stable(
      [](const std::string& request) { return ok(std::to_string(request.size() - request.find("\r\n\r\n") - 4)); });
  TestBackend candidate([](const std::string&) { return ok("c"); });
  EndpointConfig endpoint;
  endpoint.replay_bytes = 1000;
  start(endpoint);
  route(999'999, stable.address(), candidate.address());
  const std::string response = ask(post(std::string(3'000'000, 'x')));
  EXPECT_NE(response.find("\r\n\r\n3000000"), std::string::npos) << response;
  EXPECT_EQ(candidate.requests(), 0);
}

TEST_F(GatewayTest, AConnectionTheBackendClosedIsReplacedWithoutTheClientNoticing) {
  std::atomic<int> count{0};
  // Says keep-alive and closes after each answer, so that every pooled connection is stale.
  TestBackend stable([&](const std::string&) { return ++count % 2 == 0 ? std::string() : ok("s"); });
  start();
  route(0, stable.address(), {});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(post("x")).rfind("HTTP/1.1 200", 0), 0U) << i;
}

TEST_F(GatewayTest, SaysWhatIsWrong) {
  start();
  EXPECT_EQ(ask(post("x")).rfind("HTTP/1.1 503", 0), 0U);
  EXPECT_EQ(ask("GET /other HTTP/1.1\r\nHost: a\r\n\r\n").rfind("HTTP/1.1 404", 0), 0U);
  EXPECT_EQ(ask("GET /m HTTP/1.1\r\n\r\n").rfind("HTTP/1.1 400", 0), 0U);
  EXPECT_EQ(ask("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").rfind("HTTP/1.1 200", 0), 0U);
  {
    Descriptor taken;
    auto socket = listen_on({0x7f000001, 0});
    ASSERT_TRUE(socket);
    const auto again = listen_on(local_address(*socket));
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().message.find("in use"), std::string::npos);
  }
}

TEST_F(GatewayTest, StoppingLetsARequestThatIsUnderWayFinish) {
  std::mutex gate;
  gate.lock();
  std::atomic<bool> arrived{false};
  TestBackend stable([&](const std::string&) {
    arrived = true;
    arrived.notify_all();
    const std::lock_guard wait(gate);
    return ok("late");
  });
  start();
  route(0, stable.address(), {});
  std::string response;
  std::thread client([&] { response = ask(post("x")); });
  arrived.wait(false);
  std::thread stopper([&] { gateway->stop(seconds(10)); });
  gate.unlock();
  stopper.join();
  client.join();
  EXPECT_EQ(response.rfind("HTTP/1.1 200", 0), 0U);
}

struct Sampled {
  std::string version, request, response;
};

TEST_F(GatewayTest, CopiesAnsweredRequestsForLookingIntoAndNothingElse) {
  TestBackend backend([](const std::string& request) {
    // The body: a prediction's id, in the head, may spell it.
    return request.ends_with("\r\n\r\nbad") ? "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" : ok("answer");
  });
  EndpointConfig endpoint;
  endpoint.sample_ppm = traffic::kWhole;
  endpoint.replay_bytes = 1'000'000;
  start(endpoint);
  route(0, backend.address(), backend.address());
  std::vector<Sampled> got;
  const auto drain = [&] {
    settle();
    gateway->drain_samples([&](const RequestSample& sample) {
      got.push_back({sample.version, sample.request, sample.response});
    });
  };
  ask(post("asked"));
  ask("POST /m/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nchu\r\n3\r\nnks\r\n0\r\n\r\n");
  ask(post("bad"));
  ask(post(std::string(SampleRing::kMaxBody + 1, 'x')));
  drain();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].version, "1.0.0");
  EXPECT_EQ(got[0].request, "asked");
  EXPECT_EQ(got[0].response, "answer");
  EXPECT_EQ(got[1].request, "chunks");
  EXPECT_EQ(gateway->counters().samples_dropped, 1u) << "the body that is too large to keep";
  for (std::size_t i = 0; i < SampleRing::kSlots + 5; ++i) ask(post("again"));
  got.clear();
  drain();
  EXPECT_EQ(got.size(), SampleRing::kSlots);
  EXPECT_EQ(gateway->counters().samples_dropped, 6u) << "full: dropped, not waited for";
}

TEST_F(GatewayTest, AnswersAreCopiedForTheExaminersWhetherOrNotTheSocketTakesThemAtOnce) {
  const std::string long_answer(200'000, 'l');
  TestBackend backend([&](const std::string& request) {
    if (request.ends_with("\r\n\r\nlong")) return ok(long_answer);
    if (request.ends_with("\r\n\r\nchunks"))
      return std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nanch\r\n4\r\nored\r\n0\r\n\r\n");
    if (request.ends_with("\r\n\r\nbad")) return std::string("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    return ok(request.ends_with("\r\n\r\nhuge") ? std::string(300'000, 'h') : "short");
  });
  EndpointConfig endpoint;
  endpoint.examine_ppm = traffic::kWhole;
  start(endpoint);
  route(0, backend.address(), {});
  EXPECT_TRUE(ask(post("short")).ends_with("short"));
  EXPECT_TRUE(ask(post("long")).ends_with(long_answer));
  ask(post("chunks"));
  ask(post("bad"));
  ask(post("huge"));
  settle();
  std::vector<std::shared_ptr<const AnswerSample>> got;
  answers.drain([&](auto sample) { got.push_back(std::move(sample)); });
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0]->body, "short");
  EXPECT_EQ(got[0]->version, "1.0.0");
  EXPECT_EQ(got[1]->body, long_answer);
  EXPECT_EQ(got[2]->body, "anchored");
  EXPECT_EQ(answers.missed(), 1u) << "the one that is too long; what failed is no answer to look at";
  EXPECT_EQ(got[1]->outcome.prediction, outcomes(2)[1].prediction);
}

TEST_F(GatewayTest, CopiesNothingWhenNobodyAsked) {
  TestBackend backend([](const std::string&) { return ok("answer"); });
  start();
  route(0, backend.address(), backend.address());
  ask(post("asked"));
  EXPECT_EQ(gateway->drain_samples([](const RequestSample&) {}), 0u);
}

}  // namespace
}  // namespace backstay::gateway
