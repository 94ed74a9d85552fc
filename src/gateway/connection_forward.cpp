#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "gateway/connection.hpp"
#include "gateway/mirror.hpp"

/// The backend's side of a connection: which version a request goes to, what is tried when it fails, and what is
/// recorded of it. The client's side is in connection.cpp.
namespace backstay::gateway {

using traffic::Ending;
using traffic::Role;

namespace {

// The chance of a mirrored request's outcome to be the shadow's: each such request gives one of either.
constexpr std::uint32_t kMirroredPpm = traffic::kWhole / 2;
constexpr std::size_t kMaxMirrorsPerThread = 256;
constexpr std::size_t kMostReadBytes = 1024 * 1024;  // Of a request, for the numbers in it.

void append_prediction(const traffic::PredictionId& id, std::string& out) {
  out.append("Backstay-Prediction-Id: ");
  id.append_hex(out);
  out.append("\r\n");
}

std::uint64_t hash_of(std::string_view key) {
  return key.empty() ? 0
                     : (std::uint64_t{traffic::sticky_draw("cluster", key)} << 32) | traffic::sticky_draw("", key) | 1;
}

}  // namespace

Connection::Choice Connection::choose() {
  Choice choice;
  request_.examined = request_.is_prediction && worker_.answers != nullptr && endpoint().examine_ppm > 0 &&
                      worker_.random.below(traffic::kWhole) < endpoint().examine_ppm;
  choice.table = worker_.routing.pin();
  choice.routing = &choice.table->endpoints[request_.endpoint];
  const EndpointRouting& routing = *choice.routing;
  if (routing.arms.empty()) return choice;
  const std::uint32_t draw = sticky_key_.empty() ? static_cast<std::uint32_t>(worker_.random.below(traffic::kWhole))
                                                 : traffic::sticky_draw(routing.salt, sticky_key_);
  choice.arm = &routing.arms[traffic::choose(routing.split, draw)];
  choice.candidate_ppm = routing.candidate_ppm;
  // What can't be sent a second time goes to the version that is known to be good, and is no evidence either way.
  if (!request_.replayable) {
    choice.arm = &routing.arms[routing.fallback];
    choice.candidate_ppm = 0;
  }
  if (routing.shadow && request_.replayable && request_.is_prediction &&
      worker_.random.below(traffic::kWhole) < routing.split.shadow_ppm) {
    // Without a copy it is one answer alone, and no evidence of one version against the other.
    if (worker_.mirrors_under_way >= kMaxMirrorsPerThread) {
      worker_.counters.mirrors_dropped.add();
    } else {
      request_.mirror = MirrorPlace(worker_.mirrors_under_way);
      choice.candidate_ppm = kMirroredPpm;
    }
  }
  return choice;
}

Task<bool> Connection::answer() {
  Choice choice = choose();
  if (choice.arm == nullptr) {
    const std::string why = fmt::format("No version is deployed on endpoint '{}' yet.", endpoint().name);
    worker_.counters.failed.add();
    co_return co_await respond(503, fmt::format(R"({{"error":"{}"}})", why), !request_.body.complete(),
                               "Retry-After: 1\r\n");
  }
  if (request_.replayable) co_return co_await forward(std::move(choice));
  co_return co_await forward_in_pieces(std::move(choice));
}

/// The id names the version that is asked now: a replay has another one than what failed before it.
void Connection::stamp(const Arm& arm) {
  request_.prediction =
      traffic::PredictionId::make(arm.serving, static_cast<std::uint32_t>(std::time(nullptr)), request_.prediction.low);
  forwarded_head_.resize(request_.unstamped_size);
  append_prediction(request_.prediction, forwarded_head_);
  forwarded_head_.append("\r\n");
}

Exchange::Call Connection::call_for(const Arm& arm) {
  stamp(arm);
  Exchange::Call call;
  call.address = arm.address;
  call.head = forwarded_head_;
  call.body = request_body();
  call.to_head_request = request_.is_head;
  call.deadline = worker_.reactor.now() + endpoint().try_timeout;
  // A candidate's answer is checked to its end before any of it goes on; values are read from whole answers.
  const bool hold = arm.role == Role::kCandidate || reads(endpoint().values, ValueSource::Of::kResponse) ||
                    request_.http_1_0 || request_.examined;
  call.hold_bytes = hold ? endpoint().hold_bytes : 0;
  if (reads(endpoint().values, ValueSource::Of::kRequest)) call.meanwhile = [this] { read_request_values(); };
  return call;
}

Task<bool> Connection::forward(Choice choice) {
  Exchange exchange(worker_.reactor, worker_.pool, worker_.response);
  bool fallback = false;
  while (true) {
    Ending ending = Ending::kConnectFailed;
    const Exchange::Call call = call_for(*choice.arm);
    if (call.address) ending = co_await exchange.call(call);
    const bool failed = ending != Ending::kAnswered || exchange.status() >= 500;
    if (failed && choice.arm->role == Role::kCandidate && !fallback) {
      record(choice, exchange, ending, true, false, nullptr);
      worker_.counters.replayed.add();
      exchange.finish();
      choice.arm = &choice.routing->arms[choice.routing->fallback];
      fallback = true;
      continue;
    }
    if (ending != Ending::kAnswered) {
      record(choice, exchange, ending, false, fallback, nullptr);
      // Stable's failures are told, so the copy is too.
      const bool goes_on = co_await fail(choice, ending);
      if (request_.mirror) mirror(choice);
      co_return goes_on;
    }
    co_return co_await relay(choice, exchange, fallback);
  }
}

Task<bool> Connection::forward_in_pieces(Choice choice) {
  Exchange exchange(worker_.reactor, worker_.pool, worker_.response);
  const Exchange::Call call = call_for(*choice.arm);
  request_.keep_alive = false;  // What is left of input_ is not known any more when this is done.
  Ending ending = Ending::kConnectFailed;
  if (choice.arm->address) ending = co_await exchange.send(call, true);
  std::uint64_t sent = request_.body_size;
  bool sending = ending == Ending::kAnswered;
  while (sending && !request_.body.complete()) {
    const IoResult got =
        co_await client_.read(worker_.reactor.read_buffer(), worker_.reactor.now() + worker_.config.body_timeout);
    if (got.status != IoStatus::kOk) co_return false;
    const std::string_view fresh(worker_.reactor.read_buffer().data(), got.bytes);
    const std::size_t taken = request_.body.feed(fresh);
    sent += taken;
    if (request_.body.bad() || sent > worker_.config.max_body_bytes) {
      worker_.counters.refused.add();
      const int status = request_.body.bad() ? 400 : 413;
      co_return co_await refuse(status, "The body is malformed or too large.", true);
    }
    // A backend that stops reading may have answered already: go on and see.
    sending = co_await exchange.send_more(fresh.substr(0, taken), worker_.reactor.now() + endpoint().try_timeout);
  }
  if (ending == Ending::kAnswered) {
    Exchange::Call rest = call;
    rest.deadline = worker_.reactor.now() + endpoint().try_timeout;
    ending = co_await exchange.receive(rest);
  }
  if (ending != Ending::kAnswered) {
    record(choice, exchange, ending, false, false, nullptr);
    co_return co_await fail(choice, ending);
  }
  co_return co_await relay(choice, exchange, false);
}

void Connection::build_response_head(const Exchange& exchange, const Arm& arm, std::string_view length_field) {
  const http1::ResponseHead& head = exchange.head();
  response_head_.assign("HTTP/1.1 ");
  fmt::format_to(std::back_inserter(response_head_), "{} ", head.status);
  response_head_.append(head.reason).append("\r\n");
  http1::append_end_to_end_fields(head, response_head_);
  response_head_.append(length_field);
  response_head_.append("Backstay-Version: ").append(arm.version).append("\r\n");
  append_prediction(request_.prediction, response_head_);
  if (!request_.keep_alive) {
    response_head_.append("Connection: close\r\n");
  } else if (request_.http_1_0) {
    response_head_.append("Connection: keep-alive\r\n");
  }
  response_head_.append("\r\n");
}

Task<bool> Connection::relay(const Choice& choice, Exchange& exchange, bool fallback) {
  const bool at_once = exchange.complete();
  const http1::Framing framing = exchange.head().framing;
  if (worker_.draining || (framing == http1::Framing::kUntilClose && !at_once)) request_.keep_alive = false;
  std::string_view body = exchange.body();
  std::string length_field;
  if (framing == http1::Framing::kUntilClose && at_once)
    length_field = fmt::format("Content-Length: {}\r\n", body.size());
  if (framing == http1::Framing::kChunked && request_.http_1_0) {
    // A 1.0 client doesn't know chunks, and the backend should have known that.
    record(choice, exchange, Ending::kBroken, false, fallback, nullptr);
    const bool goes_on = co_await fail(choice, Ending::kBroken);
    if (request_.mirror) mirror(choice);
    co_return goes_on;
  }
  traffic::Outcome outcome;
  if (at_once) outcome = record_whole(choice, exchange, fallback);
  std::unique_ptr<StreamReading> reading;
  if (!at_once) reading = StreamReading::begin(worker_, endpoint(), exchange, request_.examined);
  if (exchange.status() >= 500) worker_.counters.failed.add();
  build_response_head(exchange, *choice.arm, length_field);
  if (at_once) exchange.finish();
  bool delivered = hand_over(response_head_, body);
  // Copies are made when the socket has the answer, and before anything else can use the buffer that it is in.
  if (at_once) {
    if (request_.examined) examine(worker_, outcome, choice.arm->version, exchange);
    sample(*choice.arm, exchange, body);
  } else if (reading) {
    reading->scan(body);
    reading->copy(body);
  } else if (request_.examined) {
    worker_.answers->miss();
  }
  if (delivered && !pending_.empty()) delivered = co_await deliver_rest();
  if (!at_once) {
    delivered = co_await relay_rest(choice, exchange, fallback, delivered, std::move(reading));
    exchange.finish();
  } else if (request_.mirror) {
    mirror(choice);
  }
  co_return delivered&& request_.keep_alive;
}

// What comes after the first piece of an answer; `delivered`: the client has that one.
Task<bool> Connection::relay_rest(const Choice& choice, Exchange& exchange, bool fallback, bool delivered,
                                  std::unique_ptr<StreamReading> reading) {
  while (delivered && !exchange.complete()) {
    const std::string_view body = co_await exchange.next(worker_.reactor.now() + worker_.config.body_timeout);
    const bool last = exchange.complete();
    const bool broken = body.empty() && !last;
    traffic::Outcome outcome;
    if (broken) record(choice, exchange, Ending::kBroken, false, fallback, nullptr);
    if (broken && request_.mirror) mirror(choice);
    if (broken) co_return false;
    // The numbers in it are part of the outcome, which is there before the client can say anything of the answer.
    if (last && reading) reading->scan(body);
    if (last) {
      outcome = record(choice, exchange, Ending::kAnswered, false, fallback, reading ? reading->values() : nullptr);
      sample(*choice.arm, exchange, "");
    }
    delivered = hand_over(body, "");
    if (!last && reading) reading->scan(body);
    if (reading) reading->copy(body);
    if (last && reading) reading->examine(outcome, choice.arm->version);
    if (delivered && !pending_.empty()) delivered = co_await deliver_rest();
  }
  // Of what a client left neither answer is evidence.
  const bool abandoned = !delivered && !exchange.complete();
  if (abandoned) record(choice, exchange, Ending::kClientAbandoned, false, fallback, nullptr);
  if (request_.mirror && !abandoned) mirror(choice);
  co_return delivered;
}

traffic::Outcome Connection::record_whole(const Choice& choice, const Exchange& exchange, bool fallback) {
  ValueReader::Values values;
  values.fill(traffic::kNoValue);
  if (reads(endpoint().values, ValueSource::Of::kResponse)) values = read_answer(worker_, endpoint(), exchange);
  return record(choice, exchange, Ending::kAnswered, false, fallback, &values);
}

traffic::Outcome Connection::record(const Choice& choice, const Exchange& exchange, Ending ending, bool replayed,
                                    bool fallback, const ValueReader::Values* values) {
  traffic::Outcome outcome;
  outcome.prediction = request_.prediction;
  outcome.cluster = hash_of(sticky_key_);
  outcome.endpoint = request_.endpoint;
  outcome.version = choice.arm->number;
  outcome.status = static_cast<std::uint16_t>(exchange.status());
  outcome.role = choice.arm->role;
  outcome.ending = ending;
  outcome.replayed = replayed;
  outcome.fallback = fallback;
  outcome.candidate_ppm = choice.candidate_ppm;
  outcome.latency_us = static_cast<std::uint32_t>(exchange.latency().count());
  outcome.response_bytes = static_cast<std::uint32_t>(exchange.content_bytes());
  outcome.first_byte_us = first_byte_us(exchange);
  outcome.at = exchange.received_at();
  if (values != nullptr) outcome.values = *values;
  if (!request_.is_prediction) return outcome;
  take_values_of_request(outcome.values);
  worker_.record(outcome);
  return outcome;
}

// The numbers that guardrails take of a request's body, once for each request: while the first backend that got it
// works, or, when none did, before the failure is recorded. Nothing is read for endpoints without any.
void Connection::read_request_values() {
  if (std::exchange(request_.values_read, true)) return;
  if (!request_.replayable || request_.body_size > kMostReadBytes) return;
  if (request_.chunked) {
    worker_.values.read_request_body(endpoint().values, http1::unchunked(request_body()), request_.form,
                                     request_.values);
  } else {
    worker_.values.read_request_body(endpoint().values, request_body(), request_.form, request_.values);
  }
}

void Connection::take_values_of_request(ValueReader::Values& values) {
  if (!reads(endpoint().values, ValueSource::Of::kRequest)) return;
  read_request_values();
  take_request_values(endpoint().values, request_.values, values);
}

// What was asked and answered, for the profiles of live data.
void Connection::sample(const Arm& arm, const Exchange& exchange, std::string_view response) {
  if (endpoint().sample_ppm == 0 || !request_.is_prediction || !request_.replayable || exchange.status() >= 400) return;
  if (worker_.random.below(traffic::kWhole) >= endpoint().sample_ppm) return;
  if (exchange.head().framing == http1::Framing::kChunked) response = {};
  const BodyForm answer = form_of(exchange.head());
  if (request_.chunked) {
    worker_.samples.push(request_.endpoint, arm.version, http1::unchunked(request_body()), request_.form, response,
                         answer);
  } else {
    worker_.samples.push(request_.endpoint, arm.version, request_body(), request_.form, response, answer);
  }
}

void Connection::mirror(const Choice& choice) {
  worker_.counters.mirrored.add();
  traffic::Outcome outcome;
  outcome.prediction = request_.prediction;
  outcome.cluster = hash_of(sticky_key_);
  outcome.endpoint = request_.endpoint;
  outcome.version = choice.routing->shadow->number;
  outcome.role = Role::kShadow;
  outcome.candidate_ppm = kMirroredPpm;
  take_values_of_request(outcome.values);
  run_detached(mirror_request(worker_, choice.table, &*choice.routing->shadow, forwarded_head_,
                              std::string(request_body()), outcome, request_.examined, std::move(request_.mirror)));
}

Task<bool> Connection::fail(const Choice& choice, Ending ending) {
  worker_.counters.failed.add();
  const int status = ending == Ending::kTimedOut ? 504 : (choice.arm->address ? 502 : 503);
  const std::string_view what = status == 504   ? "did not answer in time"
                                : status == 503 ? "is not ready"
                                                : "broke off or could not be reached";
  const std::string json =
      fmt::format(R"({{"error":"Version {} of endpoint '{}' {}."}})", choice.arm->version, endpoint().name, what);
  std::string fields = fmt::format("Backstay-Version: {}\r\n", choice.arm->version);
  append_prediction(request_.prediction, fields);
  if (status == 503) fields.append("Retry-After: 1\r\n");
  co_return co_await respond(status, json, !request_.keep_alive, fields);
}

}  // namespace backstay::gateway
