#include "services/search_notes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "domain/search/fields.hpp"
#include "services/registry.hpp"

namespace backstay::services {

namespace {

using search::Field;

constexpr std::size_t kVersionsLookedAt = 50;

void collect(const search::Node& node, std::vector<Field>& out) {
  for (const search::Node& child : node.children) collect(child, out);
  using Kind = search::Node::Kind;
  if (node.kind != Kind::kCompare && node.kind != Kind::kIn && node.kind != Kind::kHas) return;
  if (node.field.kind != Field::Kind::kMetric && node.field.kind != Field::Kind::kScalar) return;
  if (std::find(out.begin(), out.end(), node.field) == out.end()) out.push_back(node.field);
}

Result<bool> is_anywhere(const VersionSearch& search, const Field& field) {
  search::Query query;
  query.where.kind = search::Node::Kind::kHas;
  query.where.field = field;
  TRY(const SearchPage page, search.search(query, "", 1));
  return !page.versions.empty();
}

Result<std::vector<std::string>> known_names(const VersionSearch& search, const VersionStore& versions,
                                             Field::Kind kind) {
  TRY(const SearchPage page, search.search({}, "", kVersionsLookedAt));
  std::set<std::string> names;
  for (const StoredVersion& version : page.versions) {
    if (kind == Field::Kind::kMetric) {
      TRY(const auto scorecards, versions.scorecards(version.ref));
      for (const auto& card : scorecards)
        for (const registry::Metric& metric : card.scorecard.metrics) names.insert(metric.name);
    } else {
      TRY(const registry::Manifest manifest, manifest_of(version));
      for (const auto& [key, value] : manifest.config) names.insert("config." + key);
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace

Result<std::vector<std::string>> search_notes(const VersionSearch& search, const VersionStore& versions,
                                              const std::string& filter) {
  TRY(const search::Query query, search::parse(filter));
  std::vector<Field> fields;
  collect(query.where, fields);
  std::vector<std::string> notes;
  for (const Field& field : fields) {
    TRY(const bool there, is_anywhere(search, field));
    if (there) continue;
    const bool metric = field.kind == Field::Kind::kMetric;
    std::string note = metric ? fmt::format("No version has a metric '{}'{}.", field.name,
                                            field.group.empty() ? "" : fmt::format(" of group '{}'", field.group))
                              : fmt::format("No version has '{}'.", field.name);
    if (const auto hint = metric ? search::meant_instead(field.name) : std::nullopt) {
      note += fmt::format(" {}", *hint);
    } else {
      TRY(const std::vector<std::string> names, known_names(search, versions, field.kind));
      const auto close = nearest(field.name, names);
      if (close && *close != field.name) note += fmt::format(" Did you mean '{}'?", *close);
    }
    notes.push_back(std::move(note));
  }
  return notes;
}

}  // namespace backstay::services
