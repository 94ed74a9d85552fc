#include "services/live_period.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/profile_json.hpp"

namespace backstay::services {

Result<LivePeriod> live_period(const LiveWindowStore& store, const std::string& endpoint, const std::string& version,
                               const std::string& segment, const std::optional<Timestamp>& since) {
  TRY(const std::vector<LiveWindow> windows, store.windows(endpoint, since));
  LivePeriod out;
  for (const LiveWindow& window : windows) {
    if (window.version != version || window.segment != segment) continue;
    const std::string name = fmt::format("The window of {} from {}", endpoint, to_rfc3339(window.from));
    TRY(drift::Profile profile, wire::profile_from_json(name, window.profile));
    out.profile.merge(profile);
    if (!window.predictions.empty()) {
      TRY(const drift::Profile predictions, wire::profile_from_json(name, window.predictions));
      out.predictions.merge(predictions);
    }
    out.requests += window.requests;
    out.unreadable += window.unreadable;
    out.dropped += window.dropped;
    out.parts.push_back({window.from, window.until, std::move(profile)});
  }
  if (!out.parts.empty()) return out;
  return Unexpected(
      ErrorCode::kFailedPrecondition,
      fmt::format("No live data of version {} on endpoint '{}' was kept{}.", version, endpoint,
                  since             ? " since then"
                  : segment.empty() ? ""
                                    : " for that segment"),
      "Give the endpoint drift: {sample: 10%} in the server's configuration, or a file of live rows with --live.");
}

std::map<std::string, Timestamp> drifted_since(const drift::Profile& training, const LivePeriod& period,
                                               const drift::Thresholds& thresholds,
                                               const std::set<std::string>& ignored) {
  std::map<std::string, Timestamp> out;
  std::set<std::string> over;  // Columns for which a window was found in which they had not drifted yet.
  bool newest = true;
  for (auto part = period.parts.rbegin(); part != period.parts.rend(); ++part) {
    const drift::Comparison found = drift::compare(training, part->profile, thresholds, ignored);
    if (!found.enough) continue;
    for (const drift::ColumnDrift& column : found.columns) {
      const bool drifted = column.drifted || !column.quality.empty();
      if (drifted && !over.contains(column.name) && (newest || out.contains(column.name))) {
        out[column.name] = part->from;
      } else {
        over.insert(column.name);
      }
    }
    newest = false;
  }
  return out;
}

}  // namespace backstay::services
