#include "services/release_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "wire/document.hpp"

namespace backstay::services {

namespace {

constexpr std::string_view kEndpoint = "endpoint ";

/// What a rollout's entry says of itself; empty strings when it doesn't (a guardrail's evidence is its own).
struct RolloutEvidence {
  std::string rollout;
  std::string to;
};

RolloutEvidence rollout_evidence(const std::string& json) {
  RolloutEvidence out;
  const auto document = wire::Document::from_json("the evidence", json);
  if (!document) return out;
  wire::Fields fields(*document);
  fields.optional("rollout", out.rollout);
  fields.optional("to", out.to);
  return out;
}

/// Sorts audit entries by the version they are about. An entry without a version of its own is about the endpoint's
/// latest candidate.
class EventSorter {
 public:
  explicit EventSorter(std::string model) : model_(std::move(model)) {}

  void add(const audit::Entry& entry) {
    const audit::Draft& draft = entry.draft;
    ReleaseEvent event{entry.at, draft.actor, draft.action, "", draft.reason};
    if (draft.subject.starts_with(kEndpoint)) {
      event.endpoint = draft.subject.substr(kEndpoint.size());
      const RolloutEvidence evidence = rollout_evidence(draft.evidence);
      if (!evidence.to.empty()) candidates_[event.endpoint] = evidence.to;
      if (candidates_[event.endpoint].empty()) return;
      events[model_ + "@" + candidates_[event.endpoint]].push_back(std::move(event));
    } else if (draft.action != "version.register" && draft.action != "serving.number") {
      events[draft.subject].push_back(std::move(event));
    }
  }

  std::map<std::string, std::vector<ReleaseEvent>> events;

 private:
  std::string model_;
  std::map<std::string, std::string> candidates_;  ///< By endpoint.
};

std::string day(Timestamp at) {
  return to_rfc3339(at).substr(0, 10);
}

/// Text of people, so that it can't become a heading, a link or HTML.
std::string markdown(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '\n' || c == '\r') {
      out += ' ';
    } else {
      if (std::string_view("\\`*_[]#|").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string change_line(const registry::Difference& change) {
  if (change.before.empty())
    return fmt::format("- {}: {} added ({})\n", change.section, markdown(change.what), markdown(change.after));
  if (change.after.empty()) return fmt::format("- {}: {} removed\n", change.section, markdown(change.what));
  return fmt::format("- {}: {} {} → {}\n", change.section, markdown(change.what), markdown(change.before),
                     markdown(change.after));
}

/// What became of it, without the steps on the way.
bool is_milestone(const ReleaseEvent& event) {
  return event.action == "rollout.done" || event.action == "rollout.rollback" || event.action == "version.archive" ||
         event.action == "version.restore" || event.action == "rollout.revert";
}

void add_section(const ReleasedVersion& version, std::string& out) {
  out += fmt::format("\n## {} - {} ({})\n", version.version.ref.version.str(), day(version.version.registered_at),
                     version.version.stage);
  if (!version.manifest.changelog.empty()) out += "\n" + markdown(version.manifest.changelog) + "\n";
  if (version.compared_with && !version.changes.empty()) {
    out += fmt::format("\n### Changed since {}\n\n", version.compared_with->version.str());
    for (const registry::Difference& change : version.changes)
      if (change.section != "changelog") out += change_line(change);
  }
  if (!version.scorecards.empty()) {
    out += "\n### Measured\n\n";
    for (const registry::StoredScorecard& card : version.scorecards) {
      for (const registry::Metric& metric : card.scorecard.metrics)
        out += fmt::format("- {}{}: {:.4g} ({} samples, {}, by {})\n", markdown(metric.name),
                           metric.group.empty() ? "" : " of " + markdown(metric.group), metric.value, metric.samples,
                           markdown(card.scorecard.dataset), markdown(card.scorecard.evaluator));
    }
  }
  std::string released;
  for (const ReleaseEvent& event : version.events) {
    if (!is_milestone(event)) continue;
    released += fmt::format(
        "- {} {}{} by {}: {}\n", day(event.at),
        event.action == "rollout.rollback" ? "**rolled back**" : event.action.substr(event.action.find('.') + 1),
        event.endpoint.empty() ? "" : " on " + event.endpoint, markdown(event.actor), markdown(event.reason));
  }
  if (!released.empty()) out += "\n### Released\n\n" + released;
}

}  // namespace

Result<std::vector<ReleasedVersion>> release_log(const Records& records, const std::string& model) {
  TRY(std::vector<StoredVersion> versions, records.versions.versions(model));
  if (versions.empty())
    return Unexpected(ErrorCode::kNotFound, fmt::format("No version of '{}' is registered.", model),
                      "backstay list shows what there is.");
  std::sort(versions.begin(), versions.end(),
            [](const StoredVersion& a, const StoredVersion& b) { return a.ref.version > b.ref.version; });
  TRY(const std::vector<audit::Entry> history, records.releases.history(model));
  TRY(const std::vector<Alias> aliases, records.releases.aliases(model));
  EventSorter sorter(model);
  for (const audit::Entry& entry : history) sorter.add(entry);

  std::vector<ReleasedVersion> log;
  for (StoredVersion& version : versions) {
    ReleasedVersion& item = log.emplace_back();
    TRY(item.manifest, manifest_of(version));
    TRY(item.scorecards, records.versions.scorecards(version.ref));
    item.events = std::move(sorter.events[version.ref.str()]);
    for (const Alias& alias : aliases)
      if (alias.ref == version.ref) item.aliases.push_back(alias.name);
    item.version = std::move(version);
  }
  for (std::size_t i = 0; i + 1 < log.size(); ++i) {
    log[i].compared_with = log[i + 1].version.ref;
    log[i].changes = registry::diff(log[i + 1].manifest, log[i].manifest);
  }
  return log;
}

std::string changelog_markdown(const std::string& model, const std::vector<ReleasedVersion>& log) {
  std::string out = fmt::format("# Changelog of {}\n", model);
  for (const ReleasedVersion& version : log) add_section(version, out);
  return out;
}

}  // namespace backstay::services
