#pragma once

#include <string>

#include "domain/traffic/split.hpp"

namespace backstay {

/// Puts a traffic split in force at an endpoint. Called from one thread; the data plane follows within microseconds.
class RoutingPublisher {
 public:
  virtual ~RoutingPublisher() = default;
  virtual void publish(const std::string& endpoint, const traffic::Split& split) = 0;
};

}  // namespace backstay
