#include "gateway/mirror.hpp"

#include "gateway/http1.hpp"

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

ValueReader::Values read_answer(Worker& worker, const std::vector<ValueSource>& sources, const Exchange& exchange) {
  if (exchange.head().framing == http1::Framing::kChunked)
    return worker.values.read(sources, exchange.head(), http1::unchunked(exchange.body()));
  return worker.values.read(sources, exchange.head(), exchange.body());
}

void examine(Worker& worker, const traffic::Outcome& outcome, const std::string& version, const Exchange& exchange) {
  const std::string_view body = exchange.body();
  if (outcome.status >= 400) return;  // What failed is the business of other guardrails.
  if (body.size() > worker.config.endpoints[outcome.endpoint].examine_bytes) return worker.answers->miss();
  worker.answers->push(outcome, version, body, exchange.head().framing == http1::Framing::kChunked);
}

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
  if (outcome.ending == Ending::kAnswered && exchange.complete()) {
    const ValueReader::Values asked = outcome.values;
    outcome.values = read_answer(worker, endpoint.values, exchange);
    take_request_values(endpoint.values, asked, outcome.values);
  }
  outcome.status = static_cast<std::uint16_t>(exchange.status());
  outcome.latency_us = static_cast<std::uint32_t>(exchange.latency().count());
  outcome.response_bytes = static_cast<std::uint32_t>(exchange.response_bytes());
  outcome.first_byte_us = first_byte_us(exchange);
  outcome.at = exchange.received_at();
  worker.record(outcome);
  if (examined && outcome.ending == Ending::kAnswered) {
    if (exchange.complete()) {
      examine(worker, outcome, shadow->version, exchange);
    } else {
      worker.answers->miss();
    }
  }
  exchange.finish();
}

}  // namespace backstay::gateway
