#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace backstay::gateway {

using backstay::Descriptor;

/// An IPv4 address and port, small enough to copy freely. Port 0 = none.
struct Address {
  std::uint32_t ip = 0;  ///< Host byte order.
  std::uint16_t port = 0;

  /// "127.0.0.1:8080"; the host must be an address, not a name.
  static Result<Address> parse(std::string_view text);
  std::string str() const;
  explicit operator bool() const { return port != 0; }
  bool operator==(const Address&) const = default;
};

/// A listening socket, not shared with any other process: a port in use is an error that says so. Port 0 picks one.
Result<Descriptor> listen_on(const Address& address);
/// The address a socket is bound to.
Address local_address(const Descriptor& socket);

/// Starts a non-blocking connect; fails only when the system cannot make a socket or refuses at once.
Result<Descriptor> start_connect(const Address& address);

/// The next waiting connection, non-blocking and without Nagle's delay; an empty one when none waits.
/// kResourceExhausted when the process is out of descriptors.
Result<Descriptor> accept_connection(int listener);

}  // namespace backstay::gateway
