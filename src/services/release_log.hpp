#pragma once

#include <string>
#include <vector>

#include "services/records.hpp"
#include "services/registry.hpp"

namespace backstay::services {

/// One thing that happened to a version.
struct ReleaseEvent {
  Timestamp at;
  std::string actor;
  std::string action;    ///< As in the audit log: "gate.verdict", "rollout.rollback", ...
  std::string endpoint;  ///< Empty when no endpoint is concerned.
  std::string reason;
  bool in_return = false;  ///< Part of a rollout that goes back to a version, and not of a release.
  /// In a return: the version that it goes to, when the event is told of the one that it leaves. Empty otherwise.
  std::string returns_to{};
};

/// What happened, without who and why: "released to e1", "taken back from e1, where 1.0.0 returns".
std::string in_words(const ReleaseEvent& event);

/// Whether the version was taken from an endpoint by it: by a guardrail or a person, in a rollout or after it.
bool is_withdrawal(const ReleaseEvent& event);

struct ReleasedVersion {
  StoredVersion version;
  registry::Manifest manifest;
  std::vector<std::string> aliases;
  std::vector<registry::StoredScorecard> scorecards;
  std::vector<registry::Difference> changes;          ///< Since the next lower version.
  std::optional<registry::VersionRef> compared_with;  ///< That one.
  std::vector<ReleaseEvent> events;                   ///< Oldest first; its registration is not among them.
  std::vector<std::string> taken_back_from;           ///< Endpoints that it was taken from and not released to since.
};

/// A model's versions, highest number first, each with what happened to it and why.
Result<std::vector<ReleasedVersion>> release_log(const Records& records, const std::string& model);

/// The same as a changelog in Markdown.
std::string changelog_markdown(const std::string& model, const std::vector<ReleasedVersion>& log);

}  // namespace backstay::services
