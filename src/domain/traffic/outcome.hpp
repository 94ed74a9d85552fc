#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "base/time.hpp"
#include "domain/traffic/prediction_id.hpp"
#include "domain/traffic/split.hpp"

namespace backstay::traffic {

/// How one attempt at one version ended, from the client's point of view of that version.
enum class Ending : std::uint8_t {
  kAnswered,         ///< A complete response came back, whatever its status.
  kConnectFailed,    ///< No connection could be made.
  kTimedOut,         ///< The deadline passed first.
  kBroken,           ///< The connection closed early or the response was malformed.
  kClientAbandoned,  ///< The client left first; says nothing of the version.
};

inline constexpr std::size_t kMaxValues = 4;
inline constexpr float kNoValue = std::numeric_limits<float>::quiet_NaN();

/// One attempt's record: what the data plane tells the monitor, by value, through a ring. 88 bytes.
struct Outcome {
  PredictionId prediction;
  std::uint64_t cluster = 0;   ///< Hash of the sticky key; 0 = none.
  std::uint32_t endpoint = 0;  ///< Index into the configured endpoints.
  std::uint32_t version = 0;   ///< The process-wide number of (endpoint, version); see gateway/routing.hpp.
  std::uint16_t status = 0;    ///< HTTP status; 0 when there was none.
  Role role = Role::kStable;
  Ending ending = Ending::kAnswered;
  bool replayed = false;            ///< This attempt failed and the client was answered by the fallback instead.
  bool fallback = false;            ///< This attempt is the replay on the fallback; it says nothing new of the split.
  std::uint32_t candidate_ppm = 0;  ///< The candidate's chance when the version was chosen: pi of the sequential tests.
  std::uint32_t latency_us = 0;     ///< From the first byte sent to the backend to the last byte received.
  std::uint32_t response_bytes = 0;  ///< Of the answer's body, without the framing of chunks.
  std::uint32_t first_byte_us = 0;   ///< From the first byte sent to the first byte of the body; 0: none came.
  std::array<float, kMaxValues> values{kNoValue, kNoValue, kNoValue, kNoValue};  ///< Extracted signals by slot.
  Monotonic at;
};

/// What counts as an error of the version: anything but a complete answer below 500. The client's own mistakes (4xx)
/// and leaving early are not the version's.
inline bool is_error(const Outcome& outcome) {
  return outcome.ending != Ending::kClientAbandoned && (outcome.ending != Ending::kAnswered || outcome.status >= 500);
}

}  // namespace backstay::traffic
