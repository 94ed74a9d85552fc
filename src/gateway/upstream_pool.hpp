#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "gateway/reactor.hpp"
#include "gateway/socket.hpp"

namespace backstay::gateway {

/// One thread's idle keep-alive connections to backends. A connection that the backend closes, or says something
/// unasked on, leaves the pool at once.
class UpstreamPool {
 public:
  explicit UpstreamPool(Reactor& reactor) : reactor_(reactor) {}

  /// The connection that was used last, or none.
  std::unique_ptr<Stream> take(const Address& address);
  /// Only for a connection whose last exchange ended cleanly.
  void put(const Address& address, std::unique_ptr<Stream> stream);
  void clear() { idle_.clear(); }

 private:
  static std::uint64_t key(const Address& address) { return (std::uint64_t{address.ip} << 16) | address.port; }
  void discard(std::uint64_t key, Stream* stream);

  Reactor& reactor_;
  std::unordered_map<std::uint64_t, std::vector<std::unique_ptr<Stream>>> idle_;
};

}  // namespace backstay::gateway
