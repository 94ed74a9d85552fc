#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace backstay::serving {

/// Where a model server listens.
struct BackendUrl {
  std::string host;
  std::uint16_t port = 80;
};

/// Reads "http://HOST:PORT". The gateway speaks HTTP/1.1 in the clear with backends and keeps the paths of requests:
/// https and paths are refused. Resolves nothing.
Result<BackendUrl> parse_backend_url(const std::string& url);

}  // namespace backstay::serving
