#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

/// What models were asked about lately, as profiles. No request is kept.
namespace backstay {

/// Sampled requests of one version on one endpoint, in one stretch of time.
struct LiveWindow {
  std::string endpoint;
  std::string version;  ///< That answered: "2.1.0".
  std::string segment;  ///< The value of the segment column; empty: all requests.
  Timestamp from;
  Timestamp until;
  std::uint64_t requests = 0;                             ///< Sampled.
  std::uint64_t unreadable = 0;                           ///< Of these, bodies that have no rows.
  std::map<std::string, std::uint64_t> unreadable_for{};  ///< By why: "packed", "not_json", "no_rows".
  std::uint64_t dropped = 0;  ///< Not looked into because too many came at once, on any endpoint.
  std::string profile;        ///< wire/profile_json.hpp, of the requests' rows.
  std::string predictions;    ///< The same of the answers' rows; empty: none were readable.
};

/// What became of the requests that were sampled of an endpoint.
struct LiveCounts {
  std::uint64_t sampled = 0;
  std::uint64_t unreadable = 0;  ///< Bodies that have no rows.
};

/// Thread-safe; one process writes, others may read meanwhile.
class LiveWindowStore {
 public:
  virtual ~LiveWindowStore() = default;
  /// Durable when it returns. Replaces the window of the same endpoint, version, segment and `from`. The oldest windows
  /// of the endpoint are removed for new ones when there are too many.
  virtual Result<void> keep(const LiveWindow& window) = 0;
  /// Oldest first; with `since` those that end after it. An endpoint without windows has none.
  virtual Result<std::vector<LiveWindow>> windows(const std::string& endpoint,
                                                  const std::optional<Timestamp>& since) const = 0;
};

}  // namespace backstay
