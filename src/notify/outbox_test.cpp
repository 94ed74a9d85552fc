#include "notify/outbox.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "notify/notify_fixture.hpp"
#include "storage/memory/memory_ledger.hpp"

namespace backstay::notify {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

/// A target under a clock that the test has in its hand.
class OutboxTest : public ::testing::Test {
 protected:
  OutboxTest() { has_target(); }
  void has_target() { EXPECT_TRUE(ledger.set_targets({{"t", webhook.events}}, ledger.size().value())); }
  /// As after a restart of the server.
  void restart() { outbox.emplace(ports, webhook, patience, 7); }
  void append(const char* action) {
    audit::Draft draft = rollback();
    draft.action = action;
    ASSERT_TRUE(ledger.append(draft));
  }
  void turn() {
    const Result<milliseconds> next = outbox->turn({});
    ASSERT_TRUE(next);
    EXPECT_GT(*next, milliseconds(0));
    EXPECT_LE(*next, Outbox::kLook);
  }
  /// As the dispatcher does, for `time`.
  void go_on_for(milliseconds time) {
    for (const Monotonic end = clock.monotonic() + time; clock.monotonic() < end;) {
      const Result<milliseconds> next = outbox->turn({});
      ASSERT_TRUE(next && next->count() > 0);
      clock.pass(*next);
    }
  }
  /// Types of what was sent since the last call.
  std::vector<std::string> sent() {
    std::vector<std::string> out;
    const std::vector<Message> all = messenger.sent();
    for (; seen < all.size(); ++seen) out.push_back(nlohmann::json::parse(all[seen].body)["type"]);
    return out;
  }
  /// Takes all but messages of this type.
  void chokes_on(const char* type, Result<Sent> answer = Sent{500, ""}) {
    messenger.usually([type, answer](const Message& message) -> Result<Sent> {
      if (nlohmann::json::parse(message.body)["type"] == type) return answer;
      return Sent{200, ""};
    });
  }
  ToldTarget told() const { return ledger.target("t").value().value(); }
  std::vector<DeadLetter> letters() const { return ledger.dead_letters("t").value(); }

  using Types = std::vector<std::string>;
  HandClock clock;
  MemoryLedger ledger{clock};
  FakeMessenger messenger;
  std::vector<std::string> lines;
  const Ports ports{ledger,
                    ledger,
                    messenger,
                    clock,
                    [](const auto&, const auto&) { return ""; },
                    [this](const std::string& line) { lines.push_back(line); }};
  Target webhook = target(Target::Kind::kWebhook);
  const Patience patience;
  std::optional<Outbox> outbox{std::in_place, ports, webhook, patience, 7};
  std::size_t seen = 0;
};

TEST(Patience, PausesGrowAndStayBelowTheLongest) {
  Patience patience;
  patience.first_pause = milliseconds(100);
  patience.longest_pause = milliseconds(500);
  EXPECT_EQ(pause_after(patience, 1), milliseconds(100));
  EXPECT_EQ(pause_after(patience, 2), milliseconds(200));
  EXPECT_EQ(pause_after(patience, 4), milliseconds(500));
  EXPECT_EQ(pause_after(patience, ~std::uint64_t{0}), milliseconds(500));
}

TEST_F(OutboxTest, TellsWhatItsTargetWantsInOrderAndOnce) {
  for (const char* action : {"version.register", "rollout.start", "rollout.advance", "rollout.done"}) append(action);
  turn();
  EXPECT_EQ(sent(), (Types{"rollout.start", "rollout.done"}));
  EXPECT_EQ(told().told_up_to, 4u);
  turn();
  append("version.register");
  restart();
  turn();
  EXPECT_EQ(sent(), Types{});
  EXPECT_EQ(told().told_up_to, 5u);
}

TEST_F(OutboxTest, AReceiverThatIsAwayForThreeMinutesHearsOfEverythingInOrder) {
  messenger.usually(503);
  append("rollout.start");
  append("rollout.rollback");
  go_on_for(minutes(3));
  EXPECT_EQ(told().told_up_to, 0u);
  EXPECT_EQ(letters().size(), 0u);
  const Types all = sent();
  const auto tries = std::count(all.begin(), all.end(), "rollout.start");
  EXPECT_GE(tries, 6);
  EXPECT_LE(tries, 12);
  messenger.usually(200);
  append("rollout.done");
  go_on_for(patience.longest_pause * 5 / 4);
  EXPECT_EQ(sent(), (Types{"rollout.start", "rollout.rollback", "rollout.done"}));
  EXPECT_FALSE(told().trouble);
}

TEST_F(OutboxTest, TheOperatorReadsOnceThatATargetIsDownAndOnceThatItIsBack) {
  messenger.usually(503);
  append("rollout.start");
  turn();
  EXPECT_TRUE(lines.empty());  // One try that failed is nothing yet.
  go_on_for(hours(2));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0],
            "warning: notifications: t can't be told: It answered 503. It is tried again for 1d; backstay notify list "
            "shows what waits.");
  messenger.usually(200);
  go_on_for(minutes(3));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1], "notifications: t can be told again.");
}

TEST_F(OutboxTest, TroubleSaysSinceWhenHowOftenAndWhenNext) {
  const Timestamp began = clock.now();
  messenger.answer({Sent{500, ""}, Unexpected(ErrorCode::kTimeout, "It did not answer.")});
  append("rollout.start");
  turn();
  EXPECT_EQ(told().trouble->tries, 1u);
  EXPECT_EQ(told().trouble->why, "It answered 500.");
  EXPECT_GE(told().trouble->next_try, began + seconds(1));
  EXPECT_LE(told().trouble->next_try, began + milliseconds(1250));
  turn();  // Too soon.
  EXPECT_EQ(messenger.count(), 1u);
  clock.pass(milliseconds(1250));
  turn();
  EXPECT_EQ(told().trouble->tries, 2u);
  EXPECT_EQ(told().trouble->since, began);
  EXPECT_EQ(told().trouble->sequence, 1u);
  EXPECT_EQ(told().trouble->why, "It did not answer.");
}

TEST_F(OutboxTest, NeverComesSoonerThanTheTargetWantsAndNotMuchLaterThanAnHour) {
  messenger.answer({Sent{429, "", seconds(300)}, Sent{503, "", seconds(1'000'000)}});
  append("rollout.rollback");
  const Timestamp began = clock.now();
  turn();
  EXPECT_GE(told().trouble->next_try, began + seconds(300));
  EXPECT_LE(told().trouble->next_try, began + seconds(375));
  go_on_for(seconds(376));
  EXPECT_EQ(told().trouble->tries, 2u);
  EXPECT_LE(told().trouble->next_try, clock.now() + minutes(75));
  go_on_for(minutes(76));
  EXPECT_EQ(told().told_up_to, 1u);
}

TEST_F(OutboxTest, WhatIsRefusedIsKeptAndTheNextOneIsSent) {
  messenger.answer({Sent{400, ""}});
  append("rollout.start");
  append("rollout.rollback");
  turn();
  EXPECT_EQ(sent(), (Types{"rollout.start", "rollout.rollback"}));
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].why, "It answered 400.");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0],
            "warning: notifications: t was not told of rollout.start of e (audit entry 1): It answered 400. backstay "
            "notify retry t has it sent again.");
}

TEST_F(OutboxTest, WhatWaitsForADayIsGivenUpAndWhatIsNewerGoesOnWaiting) {
  messenger.usually(503);
  append("rollout.start");
  append("rollout.done");
  go_on_for(hours(20));
  append("rollout.rollback");
  go_on_for(hours(5));
  ASSERT_EQ(letters().size(), 2u);
  EXPECT_EQ(letters()[0].sequence, 1u);
  EXPECT_EQ(letters()[1].why, "Given up after 1d. It answered 503.");
  EXPECT_EQ(told().told_up_to, 2u);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[1].find("t was not told of 2 messages within 1d"), std::string::npos);
  EXPECT_TRUE(told().trouble);
  sent();
  messenger.usually(200);
  go_on_for(minutes(3));
  EXPECT_EQ(sent(), Types{"rollout.rollback"});
}

TEST_F(OutboxTest, WhatHappenedLongBeforeTheServerStartedIsTriedForADayToo) {
  append("rollout.rollback");
  clock.pass(hours(100));
  messenger.answer({Sent{503, ""}});
  restart();
  go_on_for(minutes(1));
  EXPECT_EQ(told().told_up_to, 1u);
  EXPECT_TRUE(letters().empty());
}

TEST_F(OutboxTest, AMessageThatTheTargetChokesOnIsSetAside) {
  chokes_on("rollout.start");
  append("rollout.start");
  append("rollout.ask");
  append("rollout.done");
  go_on_for(minutes(2));
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].sequence, 1u);
  EXPECT_EQ(letters()[0].why, "It answered 500. Tried 7 times; another message was taken.");
  EXPECT_EQ(told().told_up_to, 3u);
  EXPECT_FALSE(told().trouble);
  const Types all = sent();
  EXPECT_EQ(all.size(), 9u);  // The first is tried once more before it is set aside.
  EXPECT_EQ(std::count(all.begin(), all.end(), "rollout.ask"), 1);
  EXPECT_EQ(std::count(all.begin(), all.end(), "rollout.done"), 1);
}

TEST_F(OutboxTest, ARollbackWaitsForNoMessageThatTheTargetChokesOn) {
  const Result<Sent> none = Unexpected(ErrorCode::kUnavailable, "The connection was reset.");
  for (const Result<Sent>& answer : {Result<Sent>(Sent{500, ""}), none}) {
    chokes_on("rollout.start", answer);
    append("rollout.start");
    append("rollout.ask");
    append("rollout.rollback");
    turn();
    const Types all = sent();
    EXPECT_EQ(std::count(all.begin(), all.end(), "rollout.rollback"), 1);
    EXPECT_TRUE(letters().empty());  // It may be a receiver that fails now and then.
    messenger.usually(200);
    go_on_for(minutes(1));
    EXPECT_EQ(sent(), (Types{"rollout.start", "rollout.ask"}));  // Nothing twice.
  }
}

TEST_F(OutboxTest, ARollbackThatComesDuringAPauseIsTriedAtOnceAndOnce) {
  messenger.usually(503);
  append("rollout.start");
  go_on_for(minutes(5));
  sent();
  append("rollout.rollback");
  turn();
  turn();
  EXPECT_EQ(sent(), (Types{"rollout.start", "rollout.rollback"}));
  chokes_on("rollout.start");
  append("rollout.rollback");
  turn();
  EXPECT_EQ(sent(), (Types{"rollout.start", "rollout.rollback", "rollout.rollback", "rollout.start"}));
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].sequence, 1u);
  EXPECT_EQ(told().told_up_to, 3u);
}

TEST_F(OutboxTest, WhatComesToATargetThatIsBackEndsThePause) {
  messenger.usually(503);
  append("rollout.start");
  append("rollout.ask");
  go_on_for(minutes(10));
  sent();
  messenger.usually(200);
  append("rollout.done");
  turn();
  EXPECT_EQ(sent(), (Types{"rollout.start", "rollout.ask", "rollout.done"}));
  EXPECT_TRUE(letters().empty());
  EXPECT_FALSE(told().trouble);
}

TEST_F(OutboxTest, TwoMessagesInARowThatTheTargetChokesOnHoldUpNothing) {
  messenger.usually([](const Message& message) -> Result<Sent> {
    const std::string type = nlohmann::json::parse(message.body)["type"];
    return Sent{type == "rollout.start" || type == "rollout.ask" ? 500 : 200, ""};
  });
  append("rollout.start");
  append("rollout.ask");
  go_on_for(minutes(10));
  EXPECT_TRUE(letters().empty());  // Nothing says that it is the messages.
  append("rollout.rollback");
  turn();
  append("rollout.done");
  go_on_for(minutes(5));
  append("rollout.done");
  go_on_for(minutes(5));
  EXPECT_EQ(letters().size(), 2u);
  EXPECT_EQ(told().told_up_to, 5u);
  const Types all = sent();
  EXPECT_EQ(std::count(all.begin(), all.end(), "rollout.rollback"), 1);
  EXPECT_EQ(std::count(all.begin(), all.end(), "rollout.done"), 2);
}

TEST_F(OutboxTest, OfATargetThatWantsToBeLeftAloneNoSecondMessageIsTried) {
  messenger.usually([](const Message&) { return Sent{429, "", seconds(1)}; });
  append("rollout.start");
  append("rollout.rollback");
  go_on_for(minutes(10));
  const Types all = sent();
  EXPECT_EQ(std::count(all.begin(), all.end(), "rollout.rollback"), 0);
}

TEST_F(OutboxTest, LettersThatSomeoneWantsSentAgainWaitLikeTheRest) {
  messenger.answer({Sent{400, ""}, Sent{400, ""}});
  append("rollout.start");
  append("rollout.rollback");
  turn();
  sent();
  messenger.usually(503);
  ASSERT_EQ(ledger.make_due("t", clock.now()).value(), 2u);
  append("rollout.done");
  go_on_for(minutes(4));
  EXPECT_EQ(letters().size(), 2u);
  EXPECT_TRUE(letters()[0].due);
  sent();
  messenger.usually(200);
  go_on_for(minutes(3));
  EXPECT_EQ(sent(), (Types{"rollout.start", "rollout.rollback", "rollout.done"}));
  EXPECT_TRUE(letters().empty());
}

TEST_F(OutboxTest, LettersThatAreDueAreGivenUpAgainAfterADay) {
  messenger.answer({Sent{400, ""}});
  append("rollout.start");
  turn();
  clock.pass(hours(200));
  messenger.usually(503);
  ASSERT_TRUE(ledger.make_due("t", clock.now()));
  go_on_for(hours(23));
  EXPECT_TRUE(letters().front().due);
  go_on_for(hours(2));
  EXPECT_FALSE(letters().front().due);
  turn();
  EXPECT_FALSE(told().trouble);  // Nothing waits any more.
}

TEST_F(OutboxTest, ARetryAndARestartTryAtOnce) {
  messenger.usually(503);
  append("rollout.rollback");
  go_on_for(minutes(10));
  sent();
  ASSERT_TRUE(ledger.make_due("t", clock.now()));
  turn();
  EXPECT_EQ(sent().size(), 1u);
  restart();
  turn();
  EXPECT_EQ(sent().size(), 1u);
  turn();
  EXPECT_EQ(sent().size(), 0u);
  EXPECT_GE(told().trouble->tries, 8u);
  EXPECT_EQ(told().trouble->since, Timestamp(seconds(1'800'000'000)));
}

TEST_F(OutboxTest, PausesAreMeasuredWhateverTheClockSays) {
  for (const microseconds by : {microseconds(-minutes(50)), microseconds(-hours(48)), microseconds(hours(1))}) {
    messenger.answer({Sent{503, ""}});
    append("rollout.rollback");
    turn();
    sent();
    clock.set(by);
    turn();
    EXPECT_EQ(sent().size(), 0u);  // Not before its time,
    EXPECT_GT(told().trouble->next_try, clock.now());
    EXPECT_LE(told().trouble->next_try, clock.now() + milliseconds(1250));
    go_on_for(milliseconds(1250));
    EXPECT_EQ(sent().size(), 1u);  // and not after it.
  }
}

TEST_F(OutboxTest, AClockThatIsPutForwardMakesNothingOld) {
  for (const microseconds by : {microseconds(hours(30)), microseconds(hours(24 * 365))}) {
    messenger.usually(503);
    append("rollout.start");
    go_on_for(hours(20));
    append("rollout.rollback");
    turn();
    clock.set(by);
    go_on_for(hours(3));
    EXPECT_TRUE(letters().empty());
    go_on_for(hours(2));
    ASSERT_EQ(letters().size(), 1u);
    go_on_for(hours(20));
    EXPECT_EQ(letters().size(), 2u);
    for (const DeadLetter& letter : letters()) ASSERT_TRUE(ledger.remove("t", letter.sequence));
    turn();
    EXPECT_FALSE(told().trouble);
  }
}

TEST_F(OutboxTest, ATargetThatWasTakenOutHearsOfWhatComesSinceItIsBack) {
  messenger.usually(503);
  append("rollout.start");
  turn();
  ASSERT_TRUE(ledger.set_targets({}, ledger.size().value()));
  append("rollout.rollback");
  has_target();
  restart();
  append("rollout.done");
  messenger.usually(200);
  sent();
  turn();
  EXPECT_EQ(sent(), Types{"rollout.done"});
}

TEST_F(OutboxTest, WhenTheEventThatFailedIsNoLongerWantedThereIsNoTrouble) {
  messenger.usually(503);
  append("rollout.start");
  turn();
  ASSERT_TRUE(told().trouble);
  webhook.events = {"rollout.done"};
  restart();
  turn();
  EXPECT_FALSE(told().trouble);
  EXPECT_EQ(told().told_up_to, 1u);
}

TEST_F(OutboxTest, ABacklogOfSeveralPagesIsSentInOneTurn) {
  for (int i = 0; i < 300; ++i) {
    append("version.register");
    append("rollout.done");
  }
  turn();
  EXPECT_EQ(sent().size(), 300u);
  EXPECT_EQ(told().told_up_to, 600u);
}

}  // namespace
}  // namespace backstay::notify
