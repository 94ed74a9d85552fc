#include "serving/backend_url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace backstay::serving {

Result<BackendUrl> parse_backend_url(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (url.starts_with("https://"))
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' asks for TLS, which backends do not get.", url),
                      "Write http://HOST:PORT; for another machine put a proxy that speaks TLS on this one.");
  std::string host = url.starts_with(kScheme) ? url.substr(kScheme.size()) : "";
  while (host.ends_with('/')) host.pop_back();
  const std::size_t colon = host.rfind(':');
  unsigned port = 80;
  if (colon != std::string::npos) {
    const auto parsed = std::from_chars(host.data() + colon + 1, host.data() + host.size(), port);
    if (parsed.ec != std::errc{} || parsed.ptr != host.data() + host.size()) port = 0;
    host.resize(colon);
  }
  const bool name = !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  });
  if (!name || port == 0 || port > 65535)
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a backend's URL.", url),
                      "Write http://HOST:PORT, without a path.");
  return BackendUrl{std::move(host), static_cast<std::uint16_t>(port)};
}

}  // namespace backstay::serving
