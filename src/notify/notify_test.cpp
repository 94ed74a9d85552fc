#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "notify/notify_fixture.hpp"

namespace backstay::notify {
namespace {

using nlohmann::json;

bool has(const Message& message, const std::string& header) {
  return std::find(message.headers.begin(), message.headers.end(), header) != message.headers.end();
}

TEST(Webhook, ASecretThatOthersWouldReadDifferentlyIsRefused) {
  EXPECT_TRUE(check_webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
  EXPECT_TRUE(check_webhook_secret("any text"));
  for (const char* bad :
       {"whsec_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La-_Sw", "whsec_AAAA"})
    EXPECT_FALSE(check_webhook_secret(bad)) << bad;
}

TEST(Webhook, IsSignedAsStandardWebhooksSays) {
  // Computed with the reference library, standardwebhooks 1.1.0.
  EXPECT_EQ(webhook_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                              R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(Webhook, HasTheSameIdHoweverOftenItIsSent) {
  FakeMessenger messenger;
  HandClock clock;
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(deliver(messenger, target(Target::Kind::kWebhook, "s"), notice_of(rollback()), clock).delivered);
    clock.pass(seconds(60));
  }
  const auto sent = messenger.wait_for(2);
  EXPECT_TRUE(has(sent[0], "webhook-id: 0a1b2c-7") && has(sent[1], "webhook-id: 0a1b2c-7"));
  EXPECT_TRUE(has(sent[1], "webhook-timestamp: 1800000060"));
  const json body = json::parse(sent[0].body);
  EXPECT_EQ(body["type"], "rollout.rollback");
  EXPECT_EQ(body["data"]["headline"], "e: 2.0.0 was rolled back to 1.0.0");
  EXPECT_EQ(body["data"]["severity"], "error");
  EXPECT_EQ(body["data"]["serves"], "1.0.0");
}

TEST(Slack, ReadsWhatAPersonWroteAsText) {
  FakeMessenger messenger;
  audit::Draft draft = rollback();
  draft.actor = "<!channel>";
  deliver(messenger, target(Target::Kind::kSlack), notice_of(draft), HandClock());
  const json body = json::parse(messenger.wait_for(1)[0].body);
  EXPECT_NE(body["blocks"][0]["text"]["text"].get<std::string>().find("&lt;bad&gt; &amp; \"worse\""),
            std::string::npos);
}

TEST(Slack, WhatIsGraveHasNoGreenTick) {
  FakeMessenger messenger;
  const std::vector<std::pair<std::string, std::string>> icons{{"info", ":white_check_mark:"},
                                                               {"warning", ":warning:"},
                                                               {"error", ":rotating_light:"},
                                                               {"critical", ":rotating_light:"}};
  for (const auto& [severity, icon] : icons) {
    wire::Notice notice = notice_of(rollback());
    notice.severity = severity;
    deliver(messenger, target(Target::Kind::kSlack), notice, HandClock());
    const json body = json::parse(messenger.sent().back().body);
    EXPECT_EQ(body["blocks"][0]["text"]["text"].get<std::string>().rfind(icon, 0), 0u) << severity;
  }
}

TEST(PagerDuty, OneRolloutIsOneIncident) {
  FakeMessenger messenger;
  deliver(messenger, target(Target::Kind::kPagerDuty, "key"), notice_of(rollback()), HandClock());
  audit::Draft resumed = rollback();
  resumed.action = "rollout.resume";
  deliver(messenger, target(Target::Kind::kPagerDuty, "key"), notice_of(resumed), HandClock());
  const auto sent = messenger.wait_for(2);
  const json first = json::parse(sent[0].body);
  const json second = json::parse(sent[1].body);
  EXPECT_EQ(first["routing_key"], "key");
  EXPECT_EQ(first["event_action"], "trigger");
  EXPECT_EQ(second["event_action"], "resolve");
  EXPECT_EQ(first["dedup_key"], second["dedup_key"]);
}

TEST(Github, MakesADeploymentWhenThereIsNoneAndSetsItsStatus) {
  FakeMessenger messenger;
  messenger.answer({Sent{200, "[]"}, Sent{201, R"({"id": 42})"}, Sent{201, "{}"}});
  wire::Notice notice = notice_of(rollback());
  Target github = target(Target::Kind::kGithub, "token");
  EXPECT_FALSE(deliver(messenger, github, notice, HandClock()).delivered);  // It deploys commits, and none is known.
  notice.commit = "5e6f7a8";
  EXPECT_TRUE(deliver(messenger, github, notice, HandClock()).delivered);
  const auto sent = messenger.wait_for(3);
  EXPECT_NE(sent[0].url.find("/repos/acme/m/deployments?sha=5e6f7a8&environment=e"), std::string::npos);
  EXPECT_EQ(json::parse(sent[1].body)["ref"], "5e6f7a8");
  EXPECT_NE(sent[2].url.find("/deployments/42/statuses"), std::string::npos);
  EXPECT_EQ(json::parse(sent[2].body)["state"], "failure");
  EXPECT_TRUE(has(sent[2], "Authorization: Bearer token"));
}

TEST(Mail, NothingThatAPersonWroteBeginsAHeader) {
  audit::Draft draft = rollback();
  draft.subject = "endpoint e\r\nBcc: everyone@example.org";
  draft.reason = "first\nsecond – line";
  FakeMessenger messenger;
  deliver(messenger, target(Target::Kind::kMail), notice_of(draft), HandClock());
  const Message mail = messenger.wait_for(1)[0];
  EXPECT_EQ(mail.body.find("\r\nBcc:"), std::string::npos);
  EXPECT_NE(mail.body.find("To: ops@example.org, qa@example.org\r\n"), std::string::npos);
  EXPECT_NE(mail.body.find("\r\n\r\ne  Bcc"), std::string::npos);
  EXPECT_NE(mail.body.find("first\r\nsecond – line\r\n"), std::string::npos);
}

class Deliver : public ::testing::Test {
 protected:
  Delivery once(Result<Sent> answer, Target::Kind kind = Target::Kind::kWebhook) {
    messenger.answer({std::move(answer)});
    wire::Notice notice = notice_of(rollback());
    notice.commit = "5e6f7a8";
    return deliver(messenger, target(kind), notice, clock);
  }
  HandClock clock;
  FakeMessenger messenger;
};

TEST_F(Deliver, TellsWhatMayGoBetterLaterFromWhatWillNot) {
  EXPECT_TRUE(once(Sent{204, ""}).delivered);
  for (const int status : {408, 425, 429, 500, 503}) EXPECT_TRUE(once(Sent{status, ""}).again) << status;
  for (const int status : {301, 400, 401, 403, 404, 410}) EXPECT_FALSE(once(Sent{status, ""}).again) << status;
  const Delivery none = once(Unexpected(ErrorCode::kTimeout, "It did not answer."));
  EXPECT_TRUE(none.again && !none.answered);
  EXPECT_EQ(once(Sent{307, ""}).why_not, "It answered 307; redirects are not followed.");
}

TEST_F(Deliver, LeavesATargetAloneForAsLongAsItAsks) {
  EXPECT_EQ(once(Sent{503, "", seconds(90)}).not_before, seconds(90));
  EXPECT_EQ(once(Sent{429, "", seconds(-5)}).not_before, seconds(0));
  EXPECT_EQ(once(Sent{503, ""}).not_before, seconds(0));
}

TEST_F(Deliver, GithubsRateLimitsAreNoRefusal) {
  const auto github = Target::Kind::kGithub;
  const Delivery waits = once(Sent{403, "", seconds(30)}, github);
  EXPECT_TRUE(waits.again);
  EXPECT_EQ(waits.not_before, seconds(30));
  EXPECT_EQ(waits.why_not, "It answered 403 (its rate limit).");
  const auto reset = std::chrono::floor<seconds>(clock.now()) + seconds(1200);
  EXPECT_EQ(once(Sent{403, "", std::nullopt, 0U, reset}, github).not_before, seconds(1200));
  EXPECT_EQ(once(Sent{429, "", std::nullopt, 0U, reset}, github).not_before, seconds(1200));
  EXPECT_EQ(once(Sent{403, "", std::nullopt, 0U, std::chrono::sys_seconds()}, github).not_before, seconds(0));
  EXPECT_EQ(once(Sent{403, R"({"message": "You have exceeded a secondary rate limit."})"}, github).not_before,
            seconds(60));
  EXPECT_FALSE(once(Sent{403, "", std::nullopt, 17U}, github).again);  // The token may not.
  EXPECT_FALSE(once(Sent{403, "", seconds(30)}).again);                // Others mean it.
}

TEST_F(Deliver, AllThatIsSentForOneTrySharesItsTenSeconds) {
  messenger.usually([&](const Message& message) {
    EXPECT_GT(message.timeout, milliseconds(0));
    clock.pass(std::min<microseconds>(message.timeout, seconds(4)));
    return Sent{200, message.method == "GET" ? "[]" : R"({"id": 42})"};
  });
  wire::Notice notice = notice_of(rollback());
  notice.commit = "5e6f7a8";
  const Timestamp began = clock.now();
  deliver(messenger, target(Target::Kind::kGithub), notice, clock);
  EXPECT_EQ(messenger.wait_for(3)[2].timeout, milliseconds(2'000));
  EXPECT_EQ(clock.now() - began, seconds(10));
}

TEST(Notice, IsMadeOfReleasesOnly) {
  audit::Entry entry;
  entry.draft = {"a", "version.register", "m@1.0.0", "", "{}"};
  EXPECT_FALSE(wire::notice_of(entry));
  entry.draft = {"a", "rollout.rollback", "endpoint e", "", "not JSON"};
  EXPECT_EQ(wire::notice_of(entry)->endpoint, "e");
}

}  // namespace
}  // namespace backstay::notify
