#include "services/live_period.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/profile_json.hpp"

namespace backstay::services {

namespace {

/// What drifted in every window from the newest back to one.
template <class Key>
class Unbroken {
 public:
  /// The windows' drifted keys, the newest window first.
  void look_back(Timestamp from, const std::set<Key>& drifted) {
    if (!begun_) still_ = drifted;
    begun_ = true;
    std::erase_if(still_, [&](const Key& key) { return !drifted.contains(key); });
    for (const Key& key : still_) since_[key] = from;
  }
  /// Older windows tell nothing more.
  bool over() const { return begun_ && still_.empty(); }
  const std::map<Key, Timestamp>& since() const { return since_; }

 private:
  bool begun_ = false;
  std::set<Key> still_;
  std::map<Key, Timestamp> since_;
};

}  // namespace

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
    for (const auto& [why, count] : window.unreadable_for) out.unreadable_for[why] += count;
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

DriftedSince drifted_since(const drift::Profile& training, const LivePeriod& period,
                           const drift::Thresholds& thresholds, const std::set<std::string>& ignored) {
  Unbroken<std::string> columns;
  Unbroken<std::pair<std::string, std::string>> pairs;
  for (auto part = period.parts.rbegin(); part != period.parts.rend(); ++part) {
    const drift::Comparison found = drift::compare(training, part->profile, thresholds, ignored);
    if (!found.enough) continue;
    std::set<std::string> drifted_columns;
    for (const drift::ColumnDrift& column : found.columns)
      if (column.drifted || !column.quality.empty()) drifted_columns.insert(column.name);
    std::set<std::pair<std::string, std::string>> drifted_pairs;
    for (const drift::PairDrift& pair : found.pairs)
      if (pair.drifted) drifted_pairs.emplace(pair.x, pair.y);
    columns.look_back(part->from, drifted_columns);
    pairs.look_back(part->from, drifted_pairs);
    if (columns.over() && pairs.over()) break;
  }
  return {columns.since(), pairs.since()};
}

}  // namespace backstay::services
