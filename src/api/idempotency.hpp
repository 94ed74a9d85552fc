#pragma once

#include <httplib.h>

#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "ports/idempotency.hpp"

namespace backstay::api {

/// Does a request with an Idempotency-Key once: the same request again gets the stored answer, another one with the
/// same key 422, one that comes while the first is under way 409. What failed on this side (5xx) is not stored, so that
/// it can be tried again. A crash between doing and storing is not told apart from not doing: orders to rollouts and
/// registering refuse or accept their repetition by themselves. Thread-safe.
class Idempotency {
 public:
  explicit Idempotency(IdempotencyStore& store) : store_(store) {}
  void once(const httplib::Request& request, httplib::Response& response, const std::function<void()>& handle);

 private:
  IdempotencyStore& store_;
  std::mutex mutex_;
  std::set<std::string> under_way_;
};

}  // namespace backstay::api
