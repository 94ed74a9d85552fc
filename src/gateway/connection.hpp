#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "domain/traffic/outcome.hpp"
#include "gateway/exchange.hpp"
#include "gateway/http1.hpp"
#include "gateway/request_sampler.hpp"
#include "gateway/stream_reading.hpp"
#include "gateway/task.hpp"
#include "gateway/worker.hpp"

namespace backstay::gateway {

/// A client's connection: reads requests one after another and answers each from the version that was chosen for it.
class Connection {
 public:
  Connection(Worker& worker, Descriptor socket);

  /// Serves until the client leaves, an error ends the connection, or the gateway stops.
  Task<void> serve();

 private:
  /// What is known of the request after its head was read.
  struct Request {
    std::uint32_t endpoint = 0;
    std::size_t head_size = 0;
    std::size_t body_size = 0;  ///< Bytes of the body in input_, right after the head.
    http1::BodyScanner body;
    bool is_head = false;
    bool http_1_0 = false;
    bool is_prediction = true;  ///< Not a question about the model, of which neither version is judged.
    bool keep_alive = true;
    bool replayable = false;  ///< The whole body is in input_.
    MirrorPlace mirror;       ///< A copy goes to the shadow version.
    bool chunked = false;
    bool examined = false;         ///< Its answer is copied for the examiners; drawn before the version was chosen.
    ValueReader::Values values{};  ///< What is taken of it; see read_request_values().
    bool values_read = false;
    BodyForm form;  ///< Of the body, for endpoints whose requests are sampled or read.
    traffic::PredictionId prediction;
    std::size_t unstamped_size = 0;  ///< Of forwarded_head_ without the prediction id.
  };
  /// The version a request was given to.
  struct Choice {
    TablePin table;
    const EndpointRouting* routing = nullptr;
    const Arm* arm = nullptr;
    std::uint32_t candidate_ppm = 0;
  };
  enum class Next : std::uint8_t { kRequest, kHandled, kEnd };

  Task<Next> read_request();
  Task<bool> admit();
  Task<bool> read_body();
  Task<bool> answer();
  Task<bool> forward(Choice choice);
  Task<bool> forward_in_pieces(Choice choice);
  Choice choose();
  Exchange::Call call_for(const Arm& arm);
  void stamp(const Arm& arm);
  Task<bool> relay(const Choice& choice, Exchange& exchange, bool fallback);
  Task<bool> relay_rest(const Choice& choice, Exchange& exchange, bool fallback, bool delivered,
                        std::unique_ptr<StreamReading> reading);
  Task<bool> fail(const Choice& choice, traffic::Ending ending);
  Task<bool> refuse(int status, std::string_view why, bool close);
  Task<bool> respond(int status, std::string_view json, bool close, std::string_view extra_fields);
  Task<bool> deliver(std::string_view first, std::string_view second);
  bool hand_over(std::string_view first, std::string_view second);
  Task<bool> deliver_rest();
  Task<void> linger();

  traffic::Outcome record(const Choice& choice, const Exchange& exchange, traffic::Ending ending, bool replayed,
                          bool fallback, const ValueReader::Values* values);
  traffic::Outcome record_whole(const Choice& choice, const Exchange& exchange, bool fallback);
  void sample(const Arm& arm, const Exchange& exchange, std::string_view response);
  void read_request_values();
  void take_values_of_request(ValueReader::Values& values);
  void build_forwarded_head();
  void build_response_head(const Exchange& exchange, const Arm& arm, std::string_view length_field);
  void mirror(const Choice& choice);
  std::string_view request_body() const {
    return std::string_view(input_).substr(request_.head_size, request_.body_size);
  }
  const EndpointConfig& endpoint() const { return worker_.config.endpoints[request_.endpoint]; }

  Worker& worker_;
  Stream client_;
  std::string input_;           ///< Received and not yet used up.
  std::string forwarded_head_;  ///< As the backend gets it.
  std::string response_head_;   ///< As the client gets it.
  std::string pending_;         ///< What the client's socket didn't take at once.
  std::string sticky_key_;
  Request request_;
};

}  // namespace backstay::gateway
