#include "ports/backends.hpp"

namespace backstay {

const char* to_string(BackendState state) {
  switch (state) {
    case BackendState::kStarting: return "starting";
    case BackendState::kReady: return "ready";
    case BackendState::kUnhealthy: return "unhealthy";
    case BackendState::kBackingOff: return "backing_off";
    case BackendState::kFailed: return "failed";
    case BackendState::kStopped: return "stopped";
  }
  return "stopped";
}

}  // namespace backstay
