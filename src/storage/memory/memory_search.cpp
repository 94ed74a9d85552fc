#include <algorithm>

#include "domain/search/cursor.hpp"
#include "domain/search/evaluate.hpp"
#include "storage/memory/memory_ledger.hpp"
#include "wire/manifest_json.hpp"

namespace backstay {

namespace {

using search::Position;

/// A version's place in an order.
Position place_of(const search::Row& row, const search::Order& order, Timestamp now) {
  Position place{now, false, {}, row.id};
  switch (order.by.kind) {
    case search::Field::Kind::kModel: place.key = row.ref.model; break;
    case search::Field::Kind::kVersion: place.key = search::version_key(row.ref.version); break;
    case search::Field::Kind::kOrdinal: place.key = static_cast<double>(row.ordinal); break;
    case search::Field::Kind::kMetric: {
      const auto found = row.metrics.find({order.by.name, order.by.group});
      place.valueless = found == row.metrics.end();
      if (!place.valueless) place.key = found->second;
      break;
    }
    default: break;
  }
  return place;
}

bool before(const Position& a, const Position& b, bool descending) {
  if (a.valueless != b.valueless) return b.valueless;
  if (a.key != b.key) return descending ? b.key < a.key : a.key < b.key;
  return descending ? b.id < a.id : a.id < b.id;
}

search::Row row_of(const StoredVersion& version, std::uint64_t id) {
  search::Row row;
  row.id = id;
  row.ref = version.ref;
  row.ordinal = version.ordinal;
  row.stage = version.stage;
  row.created = version.registered_at;
  row.registered_by = version.registered_by;
  row.complete = version.complete;
  row.identity = version.identity;
  if (const auto manifest = wire::manifest_from_json(version.ref.str(), version.manifest_json)) {
    row.facts = search::facts_of(*manifest);
    row.changelog = manifest->changelog;
  }
  return row;
}

}  // namespace

Result<SearchPage> MemoryLedger::search(const search::Query& query, const std::string& cursor,
                                        std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  Position after{clock_.now(), false, {}, 0};
  if (!cursor.empty()) {
    TRY(after, search::position_from(query, cursor));
  }
  std::vector<std::pair<Position, const StoredVersion*>> found;
  for (std::size_t i = 0; i < versions_.size(); ++i) {
    const Held& held = versions_[i];
    search::Row row = row_of(held.version, i + 1);
    for (const registry::StoredScorecard& card : held.scorecards) {
      for (const registry::Metric& metric : card.scorecard.metrics)
        row.metrics[{metric.name, metric.group}] = metric.value;
      for (search::Fact& fact : search::facts_of(card.scorecard)) row.facts.push_back(std::move(fact));
    }
    if (!held.scans.empty())
      row.facts.push_back({search::kScanKey, scan::to_string(held.scans.front().report.verdict), {}});
    for (const StoredVerdict& verdict : held.verdicts)
      row.verdicts.emplace(verdict.gate, verdict.verdict);  // Newest first.
    for (const auto& [key, alias] : aliases_)
      if (alias.ref == held.version.ref) row.aliases.push_back(alias.name);
    const Position place = place_of(row, query.order, after.now);
    if (!cursor.empty() && !before(after, place, query.order.descending)) continue;
    if (search::matches(query.where, row, after.now)) found.emplace_back(place, &held.version);
  }
  std::sort(found.begin(), found.end(),
            [&](const auto& a, const auto& b) { return before(a.first, b.first, query.order.descending); });
  SearchPage page;
  if (found.size() > limit) page.next = search::to_cursor(query, found[limit - 1].first);
  found.resize(std::min(found.size(), limit));
  for (const auto& [place, version] : found) page.versions.push_back(*version);
  return page;
}

}  // namespace backstay
