#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "notify/dispatcher.hpp"
#include "storage/memory/memory_ledger.hpp"

namespace backstay::notify {
namespace {

using nlohmann::json;

/// Remembers what was sent and answers what the test says.
class FakeMessenger : public Messenger {
 public:
  Result<Sent> send(const Message& message) const override {
    std::unique_lock lock(mutex_);
    sent_.push_back(message);
    changed_.notify_all();
    if (answers_.empty()) return Sent{200, "{}"};
    Result<Sent> answer = answers_.front();
    answers_.erase(answers_.begin());
    return answer;
  }
  void answer(std::vector<Result<Sent>> answers) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(answers);
  }
  std::vector<Message> wait_for(std::size_t count) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return sent_.size() >= count; });
    return sent_;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return sent_.size();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable std::vector<Message> sent_;
  mutable std::vector<Result<Sent>> answers_;
};

const char* const kIds = R"({"from":"1.0.0","rollout":"e-2","to":"2.0.0"})";

audit::Draft rollback() {
  return {"backstay", "rollout.rollback", "endpoint e", "errors: 9 of 36 <bad> & \"worse\"", kIds};
}

wire::Notice notice_of(const audit::Draft& draft) {
  audit::Entry entry;
  entry.sequence = 7;
  entry.at = Timestamp(seconds(1'700'000'000));
  entry.draft = draft;
  wire::Notice notice = wire::notice_of(entry).value();
  notice.id = "0a1b2c-7";
  return notice;
}

Target target(Target::Kind kind, const char* secret = "") {
  Target out;
  out.name = "t";
  out.kind = kind;
  out.url = "https://example.org/hook";
  out.secret = secret;
  out.repository = "acme/m";
  out.from = "backstay@example.org";
  out.to = {"ops@example.org", "qa@example.org"};
  out.events = usual_events(kind);
  return out;
}

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
  for (const int later : {0, 60})
    EXPECT_TRUE(deliver(messenger, target(Target::Kind::kWebhook, "s"), notice_of(rollback()),
                        Timestamp(seconds(1'700'000'100 + later)))
                    .delivered);
  const auto sent = messenger.wait_for(2);
  EXPECT_TRUE(has(sent[0], "webhook-id: 0a1b2c-7") && has(sent[1], "webhook-id: 0a1b2c-7"));
  EXPECT_TRUE(has(sent[1], "webhook-timestamp: 1700000160"));
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
  deliver(messenger, target(Target::Kind::kSlack), notice_of(draft), {});
  const json body = json::parse(messenger.wait_for(1)[0].body);
  EXPECT_NE(body["blocks"][0]["text"]["text"].get<std::string>().find("&lt;bad&gt; &amp; \"worse\""),
            std::string::npos);
}

TEST(PagerDuty, OneRolloutIsOneIncident) {
  FakeMessenger messenger;
  deliver(messenger, target(Target::Kind::kPagerDuty, "key"), notice_of(rollback()), {});
  audit::Draft resumed = rollback();
  resumed.action = "rollout.resume";
  deliver(messenger, target(Target::Kind::kPagerDuty, "key"), notice_of(resumed), {});
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
  EXPECT_FALSE(deliver(messenger, github, notice, {}).delivered);  // It deploys commits, and none is known.
  notice.commit = "5e6f7a8";
  EXPECT_TRUE(deliver(messenger, github, notice, {}).delivered);
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
  deliver(messenger, target(Target::Kind::kMail), notice_of(draft), {});
  const Message mail = messenger.wait_for(1)[0];
  EXPECT_EQ(mail.body.find("\r\nBcc:"), std::string::npos);
  EXPECT_NE(mail.body.find("To: ops@example.org, qa@example.org\r\n"), std::string::npos);
  EXPECT_NE(mail.body.find("\r\n\r\ne  Bcc"), std::string::npos);
  EXPECT_NE(mail.body.find("first\r\nsecond – line\r\n"), std::string::npos);
}

TEST(Deliver, TellsWhatMayGoBetterLaterFromWhatWillNot) {
  FakeMessenger messenger;
  const auto once = [&](Result<Sent> answer) {
    messenger.answer({std::move(answer)});
    return deliver(messenger, target(Target::Kind::kWebhook), notice_of(rollback()), {});
  };
  EXPECT_TRUE(once(Sent{204, ""}).delivered);
  for (const int status : {408, 429, 500, 503}) EXPECT_TRUE(once(Sent{status, ""}).again) << status;
  for (const int status : {301, 400, 401, 404, 410}) EXPECT_FALSE(once(Sent{status, ""}).again) << status;
  EXPECT_TRUE(once(Unexpected(ErrorCode::kTimeout, "It did not answer.")).again);
}

TEST(Notice, IsMadeOfReleasesOnly) {
  audit::Entry entry;
  entry.draft = {"a", "version.register", "m@1.0.0", "", "{}"};
  EXPECT_FALSE(wire::notice_of(entry));
  entry.draft = {"a", "rollout.rollback", "endpoint e", "", "not JSON"};
  EXPECT_EQ(wire::notice_of(entry)->endpoint, "e");
}

TEST(Dispatcher, PausesGrowAndStayBelowTheLongest) {
  const Patience patience{8, milliseconds(100), milliseconds(500)};
  EXPECT_EQ(pause_after(patience, 1), milliseconds(100));
  EXPECT_EQ(pause_after(patience, 2), milliseconds(200));
  EXPECT_EQ(pause_after(patience, 4), milliseconds(500));
  EXPECT_EQ(pause_after(patience, 1000), milliseconds(500));
}

class DispatcherTest : public ::testing::Test {
 protected:
  std::unique_ptr<Dispatcher> start(unsigned tries = 3) {
    auto dispatcher = std::make_unique<Dispatcher>(
        Dispatcher::Ports{ledger, ledger, messenger, system_clock(), [](const auto&, const auto&) { return ""; }},
        std::vector{target(Target::Kind::kWebhook)}, Patience{tries, milliseconds(1), milliseconds(2)});
    dispatcher->start();
    return dispatcher;
  }
  void append(const char* action) {
    audit::Draft draft = rollback();
    draft.action = action;
    ASSERT_TRUE(ledger.append(draft));
  }
  template <class Condition>
  void until(Condition condition) {
    while (!condition()) std::this_thread::yield();
  }

  MemoryLedger ledger;
  FakeMessenger messenger;
};

TEST_F(DispatcherTest, ANewTargetHearsOfWhatComesFromNowOnAndOfWhatItWantsOnly) {
  append("rollout.rollback");
  const auto dispatcher = start();
  until([&] { return ledger.told_up_to("t")->has_value(); });
  append("version.register");
  append("rollout.advance");
  append("rollout.done");
  dispatcher->wake();
  EXPECT_EQ(json::parse(messenger.wait_for(1)[0].body)["type"], "rollout.done");
  until([&] { return ledger.told_up_to("t")->value() == 4; });
  EXPECT_EQ(messenger.count(), 1u);
}

TEST_F(DispatcherTest, GoesOnWhereTheLastProcessStopped) {
  ASSERT_TRUE(ledger.set_told_up_to("t", 0));
  append("rollout.start");
  append("rollout.done");
  {
    const auto first = start();
    until([&] { return ledger.told_up_to("t")->value() == 2; });
  }
  append("rollout.rollback");
  const auto second = start();
  const auto sent = messenger.wait_for(3);
  EXPECT_EQ(json::parse(sent[2].body)["type"], "rollout.rollback");
}

TEST_F(DispatcherTest, TriesAgainAndThenKeepsADeadLetter) {
  ASSERT_TRUE(ledger.set_told_up_to("t", 0));
  messenger.answer({Sent{503, ""}, Sent{503, ""}, Sent{503, ""}, Sent{503, ""}});
  append("rollout.rollback");
  append("rollout.start");
  append("rollout.done");
  const auto dispatcher = start();
  // Three tries of the first, one of the second, since the target is down; the third goes through.
  until([&] { return ledger.told_up_to("t")->value() == 3; });
  EXPECT_EQ(ledger.targets()->front().trouble, "");
  EXPECT_EQ(messenger.count(), 5u);
  const auto letters = ledger.dead_letters("t").value();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(letters[0].why, "It answered 503.");
  ASSERT_EQ(ledger.make_due("t").value(), 2u);
  dispatcher->wake();
  until([&] { return ledger.dead_letters("t")->empty(); });
  EXPECT_EQ(messenger.count(), 7u);
}

TEST_F(DispatcherTest, WhatIsRefusedIsNotTriedAgain) {
  ASSERT_TRUE(ledger.set_told_up_to("t", 0));
  messenger.answer({Sent{400, ""}});
  append("rollout.rollback");
  const auto dispatcher = start();
  until([&] { return ledger.dead_letters("t")->size() == 1; });
  EXPECT_EQ(messenger.count(), 1u);
}

TEST_F(DispatcherTest, StoppingDoesNotWaitForATargetThatIsDown) {
  ASSERT_TRUE(ledger.set_told_up_to("t", 0));
  messenger.answer(std::vector<Result<Sent>>(1000, Sent{503, ""}));
  append("rollout.rollback");
  Dispatcher dispatcher({ledger, ledger, messenger, system_clock(), [](const auto&, const auto&) { return ""; }},
                        {target(Target::Kind::kWebhook)}, {1000, std::chrono::hours(1), std::chrono::hours(1)});
  dispatcher.start();
  messenger.wait_for(1);
  until([&] { return ledger.targets()->front().trouble == "audit entry 1, tried 1 times: It answered 503."; });
  dispatcher.stop();
  EXPECT_TRUE(ledger.dead_letters("t")->empty());  // The next process tries it again.
  EXPECT_EQ(ledger.told_up_to("t")->value(), 0u);
}

}  // namespace
}  // namespace backstay::notify
