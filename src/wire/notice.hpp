#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "domain/audit/entry.hpp"

/// What people are told of releases and of drift, made of audit entries, in the formats of those who tell them.
namespace backstay::wire {

/// An event of a release.
struct Notice {
  std::uint64_t sequence = 0;  ///< The audit entry's: the same event has the same one however often it is told.
  /// The same however often it is told, and no other's, also of another registry. Filled in by who has the registry.
  std::string id;
  Timestamp at;
  std::string event;  ///< "rollout.rollback", ...; one of kNoticeEvents, or "test".
  std::string endpoint;
  std::string rollout;  ///< May be empty.
  std::string from;     ///< Versions.
  std::string to;
  std::string actor;
  std::string reason;
  std::string severity{};  ///< Of the guardrail that acted; empty: what such an event usually is.
  std::string commit;      ///< Of the candidate's code; empty: not known. Filled in by who has the registry.
};

inline constexpr const char* kNoticeEvents[] = {
    "rollout.start",    "rollout.advance",   "rollout.watch",      "rollout.done",
    "rollout.rollback", "rollout.revert",    "rollout.pause",      "rollout.resume",
    "rollout.ask",      "rollout.approve",   "guardrail.flag",     "drift.alarm",
    "drift.suggestion", "dependency.broken", "dependency.unknown", "rollout.no_target"};

/// nullopt: not an event of a release.
std::optional<Notice> notice_of(const audit::Entry& entry);

/// "diagnosis: 2.0.0 was rolled back to 1.1.0"
std::string headline(const Notice& notice);
/// "error": a version was taken back; "warning": someone should look; "info".
const char* severity(const Notice& notice);

/// Time, severity, headline, who and why, on one line.
std::string log_line(const Notice& notice);
/// {"type", "timestamp", "data": {...}} as Standard Webhooks has it.
std::string webhook_body(const Notice& notice);
std::string slack_body(const Notice& notice);
/// PagerDuty Events API v2.
std::string pagerduty_body(const Notice& notice, const std::string& routing_key);
/// The whole message of RFC 5322, lines ended by CR LF.
std::string mail_text(const Notice& notice, const std::string& from, const std::vector<std::string>& to);

/// GitHub's REST API: a deployment of a commit to an environment, and its status.
std::string github_deployment_body(const Notice& notice);
std::string github_status_body(const Notice& notice);
/// The id of a deployment that was made, or of the first that was found.
std::optional<std::uint64_t> github_deployment_id(std::string_view answer);

}  // namespace backstay::wire
