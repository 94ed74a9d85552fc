#include "gateway/mirror.hpp"

#include <memory>

#include "gateway/http1.hpp"
#include "gateway/stream_reading.hpp"

namespace backstay::gateway {

using traffic::Ending;

std::uint32_t first_byte_us(const Exchange& exchange) {
  return static_cast<std::uint32_t>(exchange.first_byte().value_or(microseconds{0}).count());
}

void take_request_values(const std::vector<ValueSource>& sources, const ValueReader::Values& from,
                         ValueReader::Values& into) {
  for (std::size_t i = 0; i < sources.size() && i < into.size(); ++i)
    if (sources[i].of == ValueSource::Of::kRequest) into[i] = from[i];
}

ValueReader::Values read_answer(Worker& worker, const EndpointConfig& endpoint, const Exchange& exchange) {
  if (const auto stream = StreamReading::begin(worker, endpoint, exchange, false)) {
    stream->scan(exchange.body());
    return *stream->values();
  }
  if (exchange.head().framing == http1::Framing::kChunked)
    return worker.values.read(endpoint.values, exchange.head(), http1::unchunked(exchange.body()));
  return worker.values.read(endpoint.values, exchange.head(), exchange.body());
}

void examine(Worker& worker, const traffic::Outcome& outcome, const std::string& version, const Exchange& exchange) {
  const std::string_view body = exchange.body();
  if (outcome.status >= 400) return;  // What failed is the business of other guardrails.
  const EndpointConfig& endpoint = worker.config.endpoints[outcome.endpoint];
  const bool stream = exchange.event_stream();
  if (body.size() > (stream ? endpoint.examine_stream_bytes : endpoint.examine_bytes)) return worker.answers->miss();
  worker.answers->push(outcome, version, body, exchange.head().framing == http1::Framing::kChunked,
                       stream ? BodyKind::kEventStream : BodyKind::kDocument);
}

namespace {

/// What an answer that came in pieces was in the end.
struct Rest {
  Ending ending = Ending::kAnswered;
  bool whole = false;
};

// Nobody may ever leave a copy's answer, as a client would one that never ends: it has so long.
Task<Rest> read_rest(Worker& worker, Exchange& exchange, StreamReading* stream) {
  const Monotonic deadline = worker.reactor.now() + worker.config.body_timeout;
  std::string_view piece = exchange.body();
  while (true) {
    if (stream != nullptr) {
      stream->scan(piece);
      stream->copy(piece);
    }
    if (exchange.complete()) co_return Rest{Ending::kAnswered, true};
    piece = co_await exchange.next(deadline);
    if (!piece.empty() || exchange.complete()) continue;
    co_return Rest{worker.reactor.now() < deadline ? Ending::kBroken : Ending::kAnswered, false};
  }
}

}  // namespace

Task<void> mirror_request(Worker& worker, [[maybe_unused]] TablePin keeps_shadow_alive, const Arm* shadow,
                          std::string head, std::string body, traffic::Outcome outcome, bool examined,
                          [[maybe_unused]] MirrorPlace until_it_is_answered) {
  Exchange exchange(worker.reactor, worker.pool, worker.response);
  const EndpointConfig& endpoint = worker.config.endpoints[outcome.endpoint];
  Exchange::Call call;
  call.address = shadow->address;
  call.head = head;
  call.body = body;
  call.deadline = worker.reactor.now() + endpoint.try_timeout;
  call.hold_bytes = endpoint.hold_bytes;
  outcome.ending = Ending::kConnectFailed;
  if (shadow->address) outcome.ending = co_await exchange.call(call);
  const bool answered = outcome.ending == Ending::kAnswered;
  const bool at_once = answered && exchange.complete();
  bool whole = at_once;
  std::unique_ptr<StreamReading> stream;
  const ValueReader::Values asked = outcome.values;
  if (at_once) {
    outcome.values = read_answer(worker, endpoint, exchange);
  } else if (answered) {
    stream = StreamReading::begin(worker, endpoint, exchange, examined);
    const Rest rest = co_await read_rest(worker, exchange, stream.get());
    outcome.ending = rest.ending;
    whole = rest.whole;
    if (const auto* values = whole && stream ? stream->values() : nullptr) outcome.values = *values;
  }
  take_request_values(endpoint.values, asked, outcome.values);
  outcome.status = static_cast<std::uint16_t>(exchange.status());
  outcome.latency_us = static_cast<std::uint32_t>(exchange.latency().count());
  outcome.response_bytes = static_cast<std::uint32_t>(exchange.content_bytes());
  outcome.first_byte_us = first_byte_us(exchange);
  outcome.at = exchange.received_at();
  worker.record(outcome);
  if (stream && whole) {
    stream->examine(outcome, shadow->version);
  } else if (at_once && examined) {
    examine(worker, outcome, shadow->version, exchange);
  } else if (answered && !stream && examined) {
    worker.answers->miss();
  }
  exchange.finish();
}

}  // namespace backstay::gateway
