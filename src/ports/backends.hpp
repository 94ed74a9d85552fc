#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace backstay {

/// What serves a version behind an endpoint. Placeholders {port} {artifacts} {version} {endpoint} are substituted in
/// `command` and `url`.
struct BackendSpec {
  enum class Kind : std::uint8_t { kUrl, kProcess, kModel };
  std::string endpoint;
  std::string version;
  Kind kind = Kind::kUrl;
  std::string url;                   ///< kUrl: "http://127.0.0.1:9000".
  std::vector<std::string> command;  ///< kProcess: argv, no shell. kModel: filled in by the services from the manifest.
  std::string artifacts;             ///< Folder with the checked-out artifacts; empty for kUrl.
  std::string health_path = "/v2/health/ready";
  milliseconds start_timeout{60'000};
  milliseconds health_interval{1'000};
  milliseconds stop_grace{5'000};
  bool port_from_stdout = false;  ///< The command prints {"port":N} on its first line instead of taking {port}.
};

enum class BackendState : std::uint8_t { kStarting, kReady, kUnhealthy, kBackingOff, kFailed, kStopped };
const char* to_string(BackendState state);

/// What is known of one backend now.
struct BackendStatus {
  std::string endpoint;
  std::string version;
  BackendState state = BackendState::kStarting;
  std::string host;  ///< IPv4 address in dotted form; empty until known.
  std::uint16_t port = 0;
  std::string detail;  ///< For people: why it is not ready, its last line of output, where its output is kept.
  std::uint32_t restarts = 0;
};

/// Starts, watches and stops backends. Thread-safe. Implementations call `on_change` from a thread of their own after
/// each change of a backend's state or address; the callback must return quickly and may call ensure() and release().
class Backends {
 public:
  using OnChange = std::function<void(const BackendStatus&)>;
  virtual ~Backends() = default;
  /// Idempotent: the same endpoint and version with the same spec is left alone. A failed one is started again.
  virtual Result<void> ensure(const BackendSpec& spec) = 0;
  /// Stops it (SIGTERM, grace, SIGKILL; children too). Unknown names are fine.
  virtual void release(const std::string& endpoint, const std::string& version) = 0;
  virtual std::vector<BackendStatus> snapshot() const = 0;
};

}  // namespace backstay
