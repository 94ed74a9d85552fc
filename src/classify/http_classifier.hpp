#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ports/classifier.hpp"
#include "ports/notifications.hpp"

namespace backstay::classify {

/// Asks a service: POST {"text": ...} to a url, and reads a number from 0 to 1 out of its JSON answer.
class HttpClassifier : public Classifier {
 public:
  struct Config {
    std::string url;                   ///< http(s)://...; it may hold a secret, so errors never tell it.
    std::string score = "/score";      ///< JSON pointer to the number.
    milliseconds timeout{2'000};       ///< For everything.
    std::vector<std::string> headers;  ///< "Name: value", beside the content type.
  };
  HttpClassifier(const Messenger& messenger, Config config) : messenger_(messenger), config_(std::move(config)) {}
  Result<double> judge(std::string_view text) override;

 private:
  const Messenger& messenger_;
  Config config_;
};

}  // namespace backstay::classify
