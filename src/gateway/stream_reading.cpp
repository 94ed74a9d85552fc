#include "gateway/stream_reading.hpp"

#include <algorithm>
#include <cmath>

#include "domain/traffic/unknown_value.hpp"

namespace backstay::gateway {

std::unique_ptr<StreamReading> StreamReading::begin(Worker& worker, const EndpointConfig& endpoint,
                                                    const Exchange& exchange, bool examined) {
  if (!exchange.event_stream()) return nullptr;
  if (!examined && !reads(endpoint.values, ValueSource::Of::kResponse)) return nullptr;
  return std::unique_ptr<StreamReading>(new StreamReading(worker, endpoint, exchange, examined));
}

StreamReading::StreamReading(Worker& worker, const EndpointConfig& endpoint, const Exchange& exchange, bool examined)
    : worker_(worker),
      endpoint_(endpoint),
      reads_values_(reads(endpoint.values, ValueSource::Of::kResponse)),
      packed_(reads_values_ && form_of(exchange.head()).packed != BodyForm::Packed::kNo),
      copies_(examined && worker.answers != nullptr && exchange.status() < 400),
      chunked_(exchange.head().framing == http1::Framing::kChunked),
      body_(exchange.head().framing, exchange.head().content_length) {
  values_.fill(traffic::kNoValue);
  worker_.values.read_response_head(endpoint_.values, exchange.head(), values_);
}

StreamReading::~StreamReading() {
  if (copies_) worker_.answers->miss();
}

void StreamReading::scan(std::string_view piece) {
  if (!reads_values_ || packed_) return;
  content_.clear();
  body_.feed(piece, &content_);
  last_.feed(content_);
}

void StreamReading::copy(std::string_view piece) {
  if (!copies_) return;
  if (copy_.size() + piece.size() <= endpoint_.examine_stream_bytes) {
    copy_.append(piece);
    return;
  }
  copies_ = false;
  worker_.answers->miss();
  std::string().swap(copy_);
}

const ValueReader::Values* StreamReading::values() {
  if (!reads_values_) return nullptr;
  // Each is of the last event that has it: why a text ended is told before what it cost, or with it.
  const auto is_wanted = [&](std::size_t i) {
    const ValueSource& source = endpoint_.values[i];
    return source.of == ValueSource::Of::kResponse && source.header.empty() && std::isnan(values_[i]);
  };
  const std::size_t count = std::min(endpoint_.values.size(), values_.size());
  std::size_t wanted = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_wanted(i)) continue;
    ++wanted;
    if (packed_) values_[i] = traffic::kUnread;
  }
  for (std::size_t back = 0; back < last_.size() && wanted > 0; ++back) {
    ValueReader::Values found;
    found.fill(traffic::kNoValue);
    worker_.values.read_response_body(endpoint_.values, last_.newest(back), {}, found);
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_wanted(i) || std::isnan(found[i])) continue;
      values_[i] = found[i];
      --wanted;
    }
  }
  return &values_;
}

void StreamReading::examine(const traffic::Outcome& outcome, const std::string& version) {
  if (!copies_) return;
  copies_ = false;
  worker_.answers->push(outcome, version, copy_, chunked_, BodyKind::kEventStream);
}

}  // namespace backstay::gateway
