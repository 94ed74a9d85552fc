#include "gateway/is_prediction.hpp"

#include <algorithm>
#include <array>

namespace backstay::gateway {

bool is_prediction(std::string_view method, std::string_view target) {
  if (method == "HEAD" || method == "OPTIONS" || method == "TRACE") return false;
  if (method != "GET") return true;
  const std::string_view path = target.substr(0, target.find('?'));
  if (path == "/" || path == "/v2" || path.substr(0, 4) == "/v2/") return false;
  // OpenAI's and TensorFlow Serving's: which models there are.
  if (path == "/v1/models" || path.substr(0, 11) == "/v1/models/") return false;
  constexpr std::array<std::string_view, 18> kAbout{
      "ready",    "live",   "health", "healthz", "livez",  "readyz", "ping",         "metrics", "version",
      "metadata", "config", "stats",  "status",  "models", "docs",   "openapi.json", "redoc",   "favicon.ico"};
  const std::string_view last = path.substr(path.rfind('/') + 1);
  return std::find(kAbout.begin(), kAbout.end(), last) == kAbout.end();
}

}  // namespace backstay::gateway
