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
};

struct ReleasedVersion {
  StoredVersion version;
  registry::Manifest manifest;
  std::vector<std::string> aliases;
  std::vector<registry::StoredScorecard> scorecards;
  std::vector<registry::Difference> changes;          ///< Since the next lower version.
  std::optional<registry::VersionRef> compared_with;  ///< That one.
  std::vector<ReleaseEvent> events;                   ///< Oldest first; its registration is not among them.
};

/// A model's versions, highest number first, each with what happened to it and why.
Result<std::vector<ReleasedVersion>> release_log(const Records& records, const std::string& model);

/// The same as a changelog in Markdown.
std::string changelog_markdown(const std::string& model, const std::vector<ReleasedVersion>& log);

}  // namespace backstay::services
