#include "services/release_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "wire/document.hpp"
#include "wire/reports.hpp"

namespace backstay::services {

namespace {

constexpr std::string_view kEndpoint = "endpoint ";

/// What a rollout's entry says of itself; empty strings when it doesn't.
struct RolloutEvidence {
  std::string rollout;
  std::string from;
  std::string to;
};

RolloutEvidence rollout_evidence(const std::string& json) {
  RolloutEvidence out;
  const auto document = wire::Document::from_json("the evidence", json);
  if (!document) return out;
  wire::Fields fields(*document);
  fields.optional("rollout", out.rollout);
  fields.optional("from", out.from);
  fields.optional("to", out.to);
  return out;
}

/// Sorts audit entries by the version they are about. An entry without a version of its own is about the endpoint's
/// latest candidate. That an endpoint returns to a version is told of the one that it leaves, too.
class EventSorter {
 public:
  explicit EventSorter(std::string model) : model_(std::move(model)) {}

  void add(const audit::Entry& entry) {
    const audit::Draft& draft = entry.draft;
    ReleaseEvent event{entry.at, draft.actor, draft.action, "", draft.reason};
    if (draft.subject.starts_with(kEndpoint)) {
      event.endpoint = draft.subject.substr(kEndpoint.size());
      add_of_rollout(std::move(event), rollout_evidence(draft.evidence));
    } else if (draft.action != "version.register" && draft.action != "serving.number") {
      events[draft.subject].push_back(std::move(event));
    }
  }

  std::map<std::string, std::vector<ReleaseEvent>> events;

 private:
  /// The rollout that an endpoint had last.
  struct Latest {
    std::string candidate;
    std::string leaves;  ///< Of a return: the version that serves when it begins.
  };

  void add_of_rollout(ReleaseEvent event, const RolloutEvidence& evidence) {
    Latest& latest = latest_[event.endpoint];
    if (!evidence.to.empty()) latest.candidate = evidence.to;
    if (event.action == "rollout.start") latest.leaves.clear();
    if (event.action == "rollout.revert") latest.leaves = evidence.from;
    if (latest.candidate.empty()) return;
    event.in_return = !latest.leaves.empty();
    if (event.in_return && (event.action == "rollout.revert" || event.action == "rollout.rollback")) {
      ReleaseEvent left = event;
      left.returns_to = latest.candidate;
      events[model_ + "@" + latest.leaves].push_back(std::move(left));
    }
    events[model_ + "@" + latest.candidate].push_back(std::move(event));
  }

  std::string model_;
  std::map<std::string, Latest> latest_;  ///< By endpoint.
};

struct Words {
  std::string_view action;
  const char* text;  ///< {} is the endpoint.
};

constexpr Words kWords[] = {
    {"rollout.start", "rollout to {} began"},
    {"rollout.advance", "next step on {}"},
    {"rollout.require", "has to show more on {}"},
    {"rollout.ask", "waits for an approval on {}"},
    {"rollout.approve", "approved on {}"},
    {"rollout.pause", "paused on {}"},
    {"rollout.resume", "continued on {}"},
    {"rollout.resume_traffic", "ready again on {} after a restart"},
    {"rollout.watch", "serves {}, and is watched"},
    {"rollout.no_target", "taken back on {} to a version that is down"},
    {"guardrail.flag", "flagged by a guardrail on {}"},
    {"drift.alarm", "requests drifted on {}"},
    {"drift.suggestion", "another version was suggested for {}"},
    {"dependency.broken", "what it needs is gone, on {}"},
    {"dependency.unknown", "whether what it needs is there is not known, on {}"},
    {"scorecard.add", "measured"},
    {"gate.verdict", "judged by a gate"},
    {"gate.accept", "excepted from a gate"},
    {"version.scan", "scanned"},
    {"scan.accept", "excepted from a scan"},
    {"version.sign", "signed"},
    {"version.attest", "attested"},
    {"version.archive", "archived"},
    {"version.restore", "restored"},
    {"alias.set", "an alias was set"},
    {"alias.remove", "an alias was removed"},
};

std::string day(Timestamp at) {
  return to_rfc3339(at).substr(0, 10);
}

/// Text of people, so that it can't become a heading, a link or HTML.
std::string markdown(const std::string& text) {
  std::string out;
  for (const char c : wire::without_direction(text)) {
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

std::vector<std::string> endpoints_that_took_back(const std::vector<ReleaseEvent>& events) {
  std::map<std::string, bool> taken;
  for (const ReleaseEvent& event : events) {
    if (is_withdrawal(event)) {
      taken[event.endpoint] = true;
    } else if (event.action == "rollout.start" || event.action == "rollout.done" ||
               (event.action == "rollout.rollback" && !event.returns_to.empty())) {
      taken[event.endpoint] = false;
    }
  }
  std::vector<std::string> out;
  for (const auto& [endpoint, back] : taken)
    if (back) out.push_back(endpoint);
  return out;
}

void add_section(const ReleasedVersion& version, std::string& out) {
  const std::string taken_back =
      version.taken_back_from.empty()
          ? ""
          : fmt::format(", taken back from {}", markdown(fmt::format("{}", fmt::join(version.taken_back_from, ", "))));
  out += fmt::format("\n## {} - {} ({}{})\n", version.version.ref.version.str(), day(version.version.registered_at),
                     version.version.stage, taken_back);
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
        out += fmt::format("- {}{}: {:.4g} ({} samples, {}, by {}, {})\n", markdown(metric.name),
                           metric.group.empty() ? "" : " of " + markdown(metric.group), metric.value, metric.samples,
                           markdown(card.scorecard.dataset), markdown(card.scorecard.evaluator),
                           registry::to_string(card.scorecard.source));
    }
  }
  std::string released;
  for (const ReleaseEvent& event : version.events) {
    if (!is_milestone(event)) continue;
    const std::string words = markdown(in_words(event));
    released +=
        fmt::format("- {} {} by {}: {}\n", day(event.at), is_withdrawal(event) ? fmt::format("**{}**", words) : words,
                    markdown(event.actor), markdown(event.reason));
  }
  if (!released.empty()) out += "\n### Released\n\n" + released;
}

}  // namespace

bool is_withdrawal(const ReleaseEvent& event) {
  if (event.action == "rollout.revert") return !event.returns_to.empty();
  return event.action == "rollout.rollback" && !event.in_return;
}

std::string in_words(const ReleaseEvent& event) {
  const std::string& e = event.endpoint;
  if (event.action == "rollout.done") return fmt::format("{} {}", event.in_return ? "back on" : "released to", e);
  if (event.action == "rollout.revert" && event.returns_to.empty()) return fmt::format("returns to {}", e);
  if (event.action == "rollout.revert") return fmt::format("taken back from {}, where {} returns", e, event.returns_to);
  if (event.action == "rollout.rollback") {
    if (!event.in_return) return fmt::format("taken back from {}", e);
    if (event.returns_to.empty()) return fmt::format("could not return to {}", e);
    return fmt::format("stays on {}, because {} could not return", e, event.returns_to);
  }
  for (const Words& words : kWords)
    if (words.action == event.action) return fmt::format(fmt::runtime(words.text), e);
  return e.empty() ? event.action : fmt::format("{} on {}", event.action, e);
}

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
    item.taken_back_from = endpoints_that_took_back(item.events);
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
