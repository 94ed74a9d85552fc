#include "notify/target.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/base64.hpp"
#include "base/say.hpp"
#include "signing/hmac.hpp"

namespace backstay::notify {

using wire::Notice;

namespace {

constexpr std::string_view kSecretPrefix = "whsec_";

constexpr milliseconds kLongestTry{10'000};
/// What GitHub asks for when it doesn't say how long.
constexpr seconds kGithubLimitPause{60};

/// One try under way. Everything that is sent for it shares its time.
class Try {
 public:
  Try(const Messenger& messenger, Target::Kind kind, const Clock& clock, std::stop_token stop)
      : messenger_(messenger),
        kind_(kind),
        clock_(clock),
        stop_(std::move(stop)),
        ends_(clock.monotonic() + kLongestTry) {}

  Result<Sent> ask(Message message) const {
    message.timeout = std::chrono::ceil<milliseconds>(ends_ - clock_.monotonic());
    message.stop = stop_;
    if (message.timeout.count() <= 0)
      return Unexpected(ErrorCode::kTimeout, "It did not answer within " + to_string(kLongestTry) + ".",
                        "Check that it can be reached.");
    return messenger_.send(message);
  }
  Delivery judge(const Result<Sent>& sent) const;
  Delivery send(Message message) const { return judge(ask(std::move(message))); }

 private:
  /// GitHub answers 403, too, to who asks too much.
  bool is_limit(const Sent& sent) const {
    if (kind_ != Target::Kind::kGithub || sent.status != 403) return false;
    return sent.retry_after || sent.rate_limit_remaining == 0U ||
           sent.body.find("secondary rate limit") != std::string::npos;
  }

  const Messenger& messenger_;
  const Target::Kind kind_;
  const Clock& clock_;
  const std::stop_token stop_;
  const Monotonic ends_;
};

Delivery Try::judge(const Result<Sent>& sent) const {
  if (!sent) return {false, true, sent.error().message};
  const int status = sent->status;
  if (kind_ == Target::Kind::kMail) {
    // RFC 5321: 4yz may go better later.
    if (status < 400) return {true, false, ""};
    return {false, status < 500, fmt::format("The mail server answered {}.", status), true};
  }
  if (status >= 200 && status < 300) return {true, false, ""};
  if (status >= 300 && status < 400)
    return {false, false, fmt::format("It answered {}; redirects are not followed.", status), true};
  const bool limit = is_limit(*sent);
  // Everything else that the other side says of the message itself it will say again.
  const bool again = status == 408 || status == 425 || status == 429 || status >= 500 || limit;
  Delivery out{false, again, fmt::format("It answered {}{}.", status, limit ? " (its rate limit)" : ""), true};
  if (sent->retry_after) {
    out.not_before = *sent->retry_after;
  } else if (kind_ == Target::Kind::kGithub && sent->rate_limit_remaining == 0U && sent->rate_limit_reset) {
    out.not_before = std::chrono::ceil<seconds>(*sent->rate_limit_reset - clock_.now());
  } else if (limit) {
    out.not_before = kGithubLimitPause;
  }
  out.not_before = std::max(out.not_before, seconds(0));
  return out;
}

Message post(const Target& target, std::string body) {
  Message out;
  out.url = target.url;
  out.headers = {"Content-Type: application/json"};
  out.body = std::move(body);
  return out;
}

Message webhook(const Target& target, const Notice& notice, Timestamp now) {
  Message out = post(target, wire::webhook_body(notice));
  const std::string& id = notice.id;
  const std::int64_t seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  out.headers.push_back("webhook-id: " + id);
  out.headers.push_back(fmt::format("webhook-timestamp: {}", seconds));
  if (!target.secret.empty())
    out.headers.push_back("webhook-signature: " + webhook_signature(target.secret, id, seconds, out.body));
  return out;
}

Message mail(const Target& target, const Notice& notice) {
  Message out;
  out.kind = Message::Kind::kMail;
  out.url = target.url;
  out.from = target.from;
  out.to = target.to;
  out.user = target.user;
  out.password = target.secret;
  out.body = wire::mail_text(notice, target.from, target.to);
  return out;
}

Message github(const Target& target, const char* method, const std::string& path, std::string body) {
  Message out = post(target, std::move(body));
  out.method = method;
  out.url = fmt::format("{}/repos/{}{}", target.url, target.repository, path);
  out.headers.emplace_back("Accept: application/vnd.github+json");
  out.headers.emplace_back("X-GitHub-Api-Version: 2022-11-28");
  out.headers.push_back("Authorization: Bearer " + target.secret);
  return out;
}

/// Only what can be in a URL unescaped: versions' commits and endpoints' names are.
bool is_plain(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~';
  });
}

/// The commit's deployment to the endpoint, made when there is none yet, gets another status.
Delivery deploy(const Try& attempt, const Target& target, const Notice& notice) {
  if (notice.commit.empty()) return {false, false, "The candidate's commit is not known: GitHub deploys commits."};
  if (!is_plain(notice.commit) || !is_plain(notice.endpoint)) return {false, false, "The commit is no commit."};
  const Result<Sent> found = attempt.ask(github(
      target, "GET", fmt::format("/deployments?sha={}&environment={}&per_page=1", notice.commit, notice.endpoint), ""));
  Delivery step = attempt.judge(found);
  if (!step.delivered) return step;
  std::optional<std::uint64_t> id = wire::github_deployment_id(found->body);
  if (!id) {
    const Result<Sent> made = attempt.ask(github(target, "POST", "/deployments", wire::github_deployment_body(notice)));
    step = attempt.judge(made);
    if (!step.delivered) return step;
    id = wire::github_deployment_id(made->body);
    if (!id) return {false, false, "GitHub answered without a deployment's id.", true};
  }
  return attempt.send(
      github(target, "POST", fmt::format("/deployments/{}/statuses", *id), wire::github_status_body(notice)));
}

}  // namespace

bool Target::wants(const std::string& event) const {
  return std::find(events.begin(), events.end(), event) != events.end();
}

std::vector<std::string> usual_events(Target::Kind kind) {
  switch (kind) {
    case Target::Kind::kPagerDuty:
      return {"rollout.rollback",  "rollout.pause",      "rollout.resume",   "guardrail.flag",
              "dependency.broken", "dependency.unknown", "rollout.no_target"};
    case Target::Kind::kGithub:
      return {"rollout.start", "rollout.advance", "rollout.watch", "rollout.done", "rollout.rollback"};
    default:
      return {"rollout.start",    "rollout.done",      "rollout.rollback",   "rollout.revert",
              "rollout.pause",    "rollout.ask",       "guardrail.flag",     "drift.alarm",
              "drift.suggestion", "dependency.broken", "dependency.unknown", "rollout.no_target"};
  }
}

Target log_target() {
  Target out;
  out.name = "(log)";  // No name that a configuration can give.
  out.kind = Target::Kind::kLog;
  out.events.assign(std::begin(wire::kNoticeEvents), std::end(wire::kNoticeEvents));
  return out;
}

Result<void> check_webhook_secret(const std::string& secret) {
  constexpr std::size_t kFewest = 16;
  if (secret.compare(0, kSecretPrefix.size(), kSecretPrefix) != 0) return {};
  const auto key = from_base64(std::string_view(secret).substr(kSecretPrefix.size()));
  if (key && key->size() >= kFewest) return {};
  return Unexpected(ErrorCode::kInvalidArgument,
                    key ? fmt::format("A webhook's secret has {} bytes; {} is the least.", key->size(), kFewest)
                        : std::string("A webhook's secret begins with whsec_ and goes on with what is no Base64."),
                    "Copy it as the receiver shows it, or make one: echo whsec_$(openssl rand -base64 32)");
}

std::string webhook_signature(const std::string& secret, const std::string& id, std::int64_t seconds,
                              const std::string& body) {
  std::string key = secret;
  if (secret.compare(0, kSecretPrefix.size(), kSecretPrefix) == 0) {
    const auto raw = from_base64(std::string_view(secret).substr(kSecretPrefix.size()));
    if (raw) key = *raw;
  }
  return "v1," + to_base64(signing::hmac_sha256(key, fmt::format("{}.{}.{}", id, seconds, body)));
}

Delivery deliver(const Messenger& messenger, const Target& target, const Notice& notice, const Clock& clock,
                 const std::stop_token& stop) {
  const Try attempt(messenger, target.kind, clock, stop);
  switch (target.kind) {
    case Target::Kind::kWebhook: return attempt.send(webhook(target, notice, clock.now()));
    case Target::Kind::kSlack: return attempt.send(post(target, wire::slack_body(notice)));
    case Target::Kind::kPagerDuty: return attempt.send(post(target, wire::pagerduty_body(notice, target.secret)));
    case Target::Kind::kGithub: return deploy(attempt, target, notice);
    case Target::Kind::kLog: say(wire::log_line(notice)); return {true, false, ""};
    case Target::Kind::kMail: return attempt.send(mail(target, notice));
  }
  return {};
}

}  // namespace backstay::notify
