#include "wire/notice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

namespace backstay::wire {

using nlohmann::json;

namespace {

constexpr std::string_view kSubject = "endpoint ";
constexpr std::size_t kGithubDescription = 140;  // Its limit.
constexpr std::size_t kSlackReason = 2'000;      // Its limit is 3,000 for all of it, in which < is four.

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string text_of(const json& evidence, const char* key) {
  const auto found = evidence.find(key);
  return found != evidence.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// The version that serves now, when the event settles that.
std::string serves(const Notice& n) {
  if (n.event == "rollout.rollback") return n.from;
  if (n.event == "rollout.done" || n.event == "rollout.watch") return n.to;
  return "";
}

json data_of(const Notice& n) {
  return {{"endpoint", n.endpoint},       {"rollout", n.rollout},   {"stable", n.from},   {"candidate", n.to},
          {"serves", serves(n)},          {"actor", n.actor},       {"reason", n.reason}, {"headline", headline(n)},
          {"audit_sequence", n.sequence}, {"severity", severity(n)}};
}

/// Slack reads <, > and & as mark-up, also in what a person wrote.
std::string slack_text(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

/// So many bytes at most, and no half of a character.
std::string cut(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  const std::string_view dots = "...";
  std::size_t end = most - dots.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) --end;
  text.resize(end);
  return text.append(dots);
}

/// A header's value can't begin another line.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

/// RFC 2047, when it is not plain ASCII.
std::string header_text(const std::string& text) {
  std::string line = one_line(text);
  const bool ascii = std::all_of(line.begin(), line.end(), [](unsigned char c) { return c < 0x80; });
  if (ascii) return line;
  std::string out = "=?UTF-8?Q?";
  for (const char each : line) {
    const auto c = static_cast<unsigned char>(each);
    out += std::isalnum(c) != 0 ? std::string(1, each) : fmt::format("={:02X}", c);
  }
  return out + "?=";
}

std::string rfc5322_date(Timestamp at) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(at));
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} +0000", kDays[utc.tm_wday], utc.tm_mday, kMonths[utc.tm_mon],
                     1900 + utc.tm_year, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

const char* github_state(const Notice& notice) {
  if (notice.event == "rollout.done") return "success";
  if (notice.event == "rollout.rollback") return "failure";
  if (notice.event == "rollout.start") return "queued";
  return "in_progress";
}

}  // namespace

std::optional<Notice> notice_of(const audit::Entry& entry) {
  const bool told = std::any_of(std::begin(kNoticeEvents), std::end(kNoticeEvents),
                                [&](const char* event) { return entry.draft.action == event; });
  if (!told || entry.draft.subject.compare(0, kSubject.size(), kSubject) != 0) return std::nullopt;
  Notice out;
  out.sequence = entry.sequence;
  out.at = entry.at;
  out.event = entry.draft.action;
  out.endpoint = entry.draft.subject.substr(kSubject.size());
  out.actor = entry.draft.actor;
  out.reason = entry.draft.reason;
  const json evidence = json::parse(entry.draft.evidence, nullptr, false);
  if (evidence.is_object()) {
    out.rollout = text_of(evidence, "rollout");
    out.from = text_of(evidence, "from");
    out.to = text_of(evidence, "to");
    const std::string given = text_of(evidence, "severity");
    for (const char* known : {"info", "warning", "error", "critical"})
      if (given == known) out.severity = known;
  }
  return out;
}

std::string headline(const Notice& n) {
  const std::string candidate = n.to.empty() ? "the candidate" : n.to;
  if (n.event == "rollout.rollback")
    return n.from.empty() ? fmt::format("{}: {} was rolled back", n.endpoint, candidate)
                          : fmt::format("{}: {} was rolled back to {}", n.endpoint, candidate, n.from);
  if (n.event == "rollout.done") return fmt::format("{}: {} is the stable version", n.endpoint, candidate);
  if (n.event == "rollout.start") return fmt::format("{}: a rollout of {} began", n.endpoint, candidate);
  if (n.event == "rollout.revert") return fmt::format("{}: returning to {}", n.endpoint, candidate);
  if (n.event == "rollout.pause") return fmt::format("{}: the rollout of {} was paused", n.endpoint, candidate);
  if (n.event == "rollout.resume") return fmt::format("{}: the rollout of {} goes on", n.endpoint, candidate);
  if (n.event == "rollout.watch") return fmt::format("{}: {} serves, and is watched", n.endpoint, candidate);
  if (n.event == "rollout.ask")
    return fmt::format("{}: the rollout of {} waits for an approval", n.endpoint, candidate);
  if (n.event == "dependency.broken") return fmt::format("{}: what it serves lacks what it needs", n.endpoint);
  if (n.event == "rollout.no_target")
    return fmt::format("{}: {} was taken back to {}, which is down", n.endpoint, candidate, n.from);
  if (n.event == "drift.alarm") return fmt::format("{}: its inputs are not what it was trained on", n.endpoint);
  if (n.event == "drift.suggestion") return fmt::format("{}: another version may fit better", n.endpoint);
  if (n.event == "dependency.unknown") return fmt::format("{}: nobody knows whether it has what it needs", n.endpoint);
  if (n.event == "guardrail.flag") return fmt::format("{}: a guardrail flagged the candidate", n.endpoint);
  return fmt::format("{}: {}", n.endpoint, n.reason);
}

const char* severity(const Notice& n) {
  if (!n.severity.empty()) return n.severity.c_str();
  if (n.event == "rollout.no_target") return "critical";
  if (n.event == "rollout.rollback" || n.event == "rollout.revert" || n.event == "dependency.broken") return "error";
  if (n.event == "rollout.pause" || n.event == "rollout.ask" || n.event == "guardrail.flag" ||
      n.event == "drift.alarm" || n.event == "dependency.unknown")
    return "warning";
  return "info";
}

std::string log_line(const Notice& n) {
  const std::string told = headline(n);
  const bool said = n.reason.empty() || told.find(n.reason) != std::string::npos;
  return one_line(fmt::format("{} {} {} by {}{}{}", to_rfc3339(n.at).substr(0, 19) + "Z", severity(n), told, n.actor,
                              said ? "" : ": ", said ? "" : n.reason));
}

std::string webhook_body(const Notice& n) {
  return dump({{"type", n.event}, {"timestamp", to_rfc3339(n.at)}, {"data", data_of(n)}});
}

std::string slack_body(const Notice& n) {
  const std::string_view grave = severity(n);
  const std::string_view icon = grave == "critical" || grave == "error" ? ":rotating_light:"
                                : grave == "warning"                    ? ":warning:"
                                                                        : ":white_check_mark:";
  const json text{
      {"type", "mrkdwn"},
      {"text", fmt::format("{} *{}*\n{}", icon, slack_text(headline(n)), slack_text(cut(n.reason, kSlackReason)))}};
  const json context{{"type", "mrkdwn"},
                     {"text", fmt::format("{} by {}, audit entry {}", n.event, slack_text(n.actor), n.sequence)}};
  return dump({{"text", slack_text(headline(n))},
               {"blocks", json::array({{{"type", "section"}, {"text", text}},
                                       {{"type", "context"}, {"elements", json::array({context})}}})}});
}

std::string pagerduty_body(const Notice& n, const std::string& routing_key) {
  return dump({{"routing_key", routing_key},
               {"event_action", n.event == "rollout.done" || n.event == "rollout.resume" ? "resolve" : "trigger"},
               {"dedup_key",
                fmt::format("backstay/{}/{}", n.id.substr(0, n.id.rfind('-')), n.rollout.empty() ? n.id : n.rollout)},
               {"payload",
                {{"summary", headline(n)},
                 {"severity", severity(n)},
                 {"source", n.endpoint},
                 {"timestamp", to_rfc3339(n.at)},
                 {"component", n.rollout},
                 {"class", n.event},
                 {"custom_details", data_of(n)}}}});
}

std::string mail_text(const Notice& n, const std::string& from, const std::vector<std::string>& to) {
  std::string body;
  for (const char c : n.reason) body += c == '\n' ? "\r\n" : c == '\r' ? "" : std::string(1, c);
  return fmt::format(
      "Date: {}\r\nFrom: Backstay <{}>\r\nTo: {}\r\nSubject: {}\r\nMessage-ID: <{}@backstay>\r\n"
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
      "{}\r\n\r\n{}\r\n\r\n{} by {}, audit entry {}. Why: backstay why {}\r\n",
      rfc5322_date(n.at), one_line(from), one_line(fmt::format("{}", fmt::join(to, ", "))), header_text(headline(n)),
      one_line(n.id), one_line(headline(n)), body, n.event, n.actor, n.sequence,
      one_line(n.rollout.empty() ? n.endpoint : n.rollout));
}

std::string github_deployment_body(const Notice& n) {
  return dump({{"ref", n.commit},
               {"environment", n.endpoint},
               {"description", cut(headline(n), kGithubDescription)},
               {"auto_merge", false},
               {"required_contexts", json::array()},
               {"payload", {{"rollout", n.rollout}, {"version", n.to}}}});
}

std::string github_status_body(const Notice& n) {
  return dump({{"state", github_state(n)},
               {"environment", n.endpoint},
               {"description", cut(n.reason.empty() ? headline(n) : n.reason, kGithubDescription)}});
}

std::optional<std::uint64_t> github_deployment_id(std::string_view answer) {
  json value = json::parse(answer, nullptr, false);
  if (value.is_array()) value = value.empty() ? json() : json(value.front());
  if (!value.is_object() || !value.contains("id") || !value["id"].is_number_unsigned()) return std::nullopt;
  return value["id"].get<std::uint64_t>();
}

}  // namespace backstay::wire
