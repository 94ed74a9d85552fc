#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/descriptor.hpp"
#include "base/time.hpp"

namespace backstay::serving {

/// One HTTP GET that asks whether a backend is healthy, without blocking: poll descriptor() for events(), then call
/// advance(); it is unhealthy when `deadline` passes first.
class HealthProbe {
 public:
  /// `host` is an IPv4 address.
  HealthProbe(const std::string& host, std::uint16_t port, const std::string& path, Monotonic deadline);
  /// This process has no descriptor for it, which says nothing of the backend.
  bool was_impossible() const { return impossible_; }
  int descriptor() const { return socket_.get(); }
  short events() const;
  Monotonic deadline() const { return deadline_; }
  /// The HTTP status; 0 when none came; nullopt: not known yet.
  std::optional<int> advance(Monotonic now);

 private:
  Descriptor socket_;
  bool impossible_ = false;
  std::string request_;
  std::string answer_;
  Monotonic deadline_;
};

}  // namespace backstay::serving
