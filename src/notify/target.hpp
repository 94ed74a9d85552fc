#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "ports/notifications.hpp"
#include "wire/notice.hpp"

/// Telling the world of releases. Nothing here is on the path of a request or of a rollback: it reads the audit log.
namespace backstay::notify {

/// Who is told, and how.
struct Target {
  enum class Kind : std::uint8_t {
    kWebhook,    ///< Standard Webhooks, signed.
    kSlack,      ///< An incoming webhook.
    kPagerDuty,  ///< Events API v2.
    kGithub,     ///< Deployments and their statuses.
    kMail,       ///< SMTP.
    kLog,        ///< Standard error of this process.
  };
  std::string name;
  Kind kind = Kind::kWebhook;
  std::string url;  ///< Where to; kGithub: the API's root; kMail: smtp(s)://HOST[:PORT].
  std::string
      secret;  ///< kWebhook: "whsec_" and base 64, or any text; kPagerDuty: routing key; others: token, password.
  std::string repository;  ///< kGithub: OWNER/NAME.
  std::string from;        ///< kMail.
  std::vector<std::string> to;
  std::string user;
  std::vector<std::string> events;  ///< Of wire::kNoticeEvents.

  bool wants(const std::string& event) const;
};
/// The events that a kind is told of when nothing else is said.
std::vector<std::string> usual_events(Target::Kind kind);

/// What the server prints: every event, a line each.
Target log_target();

/// What one try came to.
struct Delivery {
  bool delivered = false;
  bool again = false;     ///< It may go better later.
  std::string why_not;    ///< A sentence without secrets.
  bool answered = false;  ///< The target said something, whatever it was.
  seconds not_before{0};  ///< It wants to be left alone for that long.
};

/// Sends a notice to a target once: 10 s at most for everything, or until `stop`. The clock's time is in a webhook's
/// signature.
Delivery deliver(const Messenger& messenger, const Target& target, const wire::Notice& notice, const Clock& clock,
                 const std::stop_token& stop = {});

/// Whether a webhook's secret is a key: after "whsec_" it is Base64 of 16 bytes or more, any other text is the key
/// itself.
Result<void> check_webhook_secret(const std::string& secret);
/// The signature of Standard Webhooks: "v1," and base 64 of HMAC-SHA256 over "id.seconds.body".
std::string webhook_signature(const std::string& secret, const std::string& id, std::int64_t seconds,
                              const std::string& body);

}  // namespace backstay::notify
