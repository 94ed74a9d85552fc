#include "classify/http_classifier.hpp"

#include <fmt/format.h>

#include "wire/answer_signature.hpp"

namespace backstay::classify {

Result<double> HttpClassifier::judge(std::string_view text) {
  Message message;
  message.url = config_.url;
  message.headers = config_.headers;
  message.headers.emplace_back("Content-Type: application/json");
  message.body = wire::text_json("text", text);
  message.timeout = config_.timeout;
  TRY(const Sent sent, messenger_.send(message));
  if (sent.status < 200 || sent.status > 299)
    return Unexpected(ErrorCode::kUnavailable, fmt::format("The classifier answered {}.", sent.status),
                      "Look at its logs.");
  TRY(const double score, wire::number_of_answer(sent.body, config_.score));
  if (score < 0 || score > 1)
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("The classifier's score is {:g}.", score),
                      "It has to be from 0 (fine) to 1.");
  return score;
}

}  // namespace backstay::classify
