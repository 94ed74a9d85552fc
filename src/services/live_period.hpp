#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "domain/drift/comparison.hpp"
#include "ports/live_windows.hpp"

namespace backstay::services {

/// The windows of one version on one endpoint since a moment, and all of them together.
struct LivePeriod {
  drift::Profile profile;
  drift::Profile predictions;
  struct Part {
    Timestamp from;
    Timestamp until;
    drift::Profile profile;
  };
  std::vector<Part> parts;  ///< Oldest first.
  std::uint64_t requests = 0;
  std::uint64_t unreadable = 0;
  std::map<std::string, std::uint64_t> unreadable_for{};  ///< By why.
  std::uint64_t dropped = 0;
};

/// kFailedPrecondition when there are none, with what to do.
Result<LivePeriod> live_period(const LiveWindowStore& store, const std::string& endpoint, const std::string& version,
                               const std::string& segment, const std::optional<Timestamp>& since);

struct DriftedSince {
  std::map<std::string, Timestamp> columns;
  std::map<std::pair<std::string, std::string>, Timestamp> pairs;
};

/// For each column, and each pair, that drifted in the newest windows: when the first of those windows began. Windows
/// with fewer rows than a verdict takes are passed over.
DriftedSince drifted_since(const drift::Profile& training, const LivePeriod& period,
                           const drift::Thresholds& thresholds, const std::set<std::string>& ignored);

}  // namespace backstay::services
