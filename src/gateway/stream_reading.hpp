#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "domain/traffic/outcome.hpp"
#include "gateway/event_stream.hpp"
#include "gateway/exchange.hpp"
#include "gateway/http1.hpp"
#include "gateway/worker.hpp"

namespace backstay::gateway {

/// What is taken of an answer that is a stream of server-sent events while it goes by: the numbers that guardrails take
/// of answers, from its head and its last events that are JSON objects, and a copy for the examiners. Bounded;
/// allocates for such answers only. On its worker's thread. A copy that was wanted and is not whole in the end counts
/// as missed.
class StreamReading {
 public:
  /// nullptr: the answer is no event stream, or nothing is wanted of it. `exchange` has its head, which is looked at
  /// now.
  static std::unique_ptr<StreamReading> begin(Worker& worker, const EndpointConfig& endpoint, const Exchange& exchange,
                                              bool examined);
  ~StreamReading();
  StreamReading(const StreamReading&) = delete;
  StreamReading& operator=(const StreamReading&) = delete;

  /// The next bytes of the body as they came, each once, for the numbers.
  void scan(std::string_view piece);
  /// The same for the copy: when the client has them.
  void copy(std::string_view piece);

  /// The numbers, when all was scanned; nullptr: none are wanted.
  const ValueReader::Values* values();
  /// Gives the copy to the examiners, when all was copied.
  void examine(const traffic::Outcome& outcome, const std::string& version);

 private:
  StreamReading(Worker& worker, const EndpointConfig& endpoint, const Exchange& exchange, bool examined);

  Worker& worker_;
  const EndpointConfig& endpoint_;
  bool reads_values_;
  bool packed_;  ///< As no part of a stream can be unpacked.
  bool copies_;  ///< Wanted, and not given away.
  bool chunked_;
  http1::BodyScanner body_;
  std::string content_;  ///< Of one piece.
  LastObjects last_;
  ValueReader::Values values_;
  std::string copy_;
};

}  // namespace backstay::gateway
