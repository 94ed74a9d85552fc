#include "storage/sqlite/contract_stores_test.hpp"

// What every notification store promises (ports/notifications.hpp).
namespace backstay {
namespace {

template <class Store>
class NotificationsContract : public ::testing::Test {
 protected:
  Store store;
  NotificationStore& notifications = store.ledger;
  const Timestamp at{microseconds(1'700'000'000'000'000)};
  Trouble trouble() const { return {8, 3, at, at + seconds(60), "It answered 500."}; }
};
TYPED_TEST_SUITE(NotificationsContract, ContractStores);

TYPED_TEST(NotificationsContract, ATargetIsNewUntilAServerHasItAndNeverGoesBack) {
  EXPECT_FALSE(this->notifications.target("ops")->has_value());
  ASSERT_TRUE(this->notifications.set_targets({{"ops", {"rollout.start", "rollout.done"}}}, 5));
  EXPECT_EQ(this->notifications.target("ops").value()->told_up_to, 5u);
  EXPECT_EQ(this->notifications.target("ops").value()->events,
            (std::vector<std::string>{"rollout.start", "rollout.done"}));
  ASSERT_TRUE(this->notifications.set_told_up_to("ops", 7));
  ASSERT_TRUE(this->notifications.set_told_up_to("ops", 3));
  EXPECT_EQ(this->notifications.target("ops").value()->told_up_to, 7u);
  EXPECT_FALSE(this->notifications.target("chat")->has_value());
}

TYPED_TEST(NotificationsContract, ATargetGoesOnWhereItWasUnlessItWasTakenOut) {
  ASSERT_TRUE(this->notifications.set_targets({{"chat", {}}, {"ops", {}}}, 5));
  ASSERT_TRUE(this->notifications.set_trouble("ops", this->trouble()));
  ASSERT_TRUE(this->notifications.set_targets({{"chat", {}}, {"ops", {"rollout.done"}}}, 9));
  EXPECT_EQ(this->notifications.target("ops").value()->told_up_to, 5u);
  EXPECT_TRUE(this->notifications.target("ops").value()->trouble);
  EXPECT_EQ(this->notifications.target("ops").value()->events, std::vector<std::string>{"rollout.done"});

  ASSERT_TRUE(this->notifications.set_targets({{"chat", {}}}, 12));
  EXPECT_FALSE(this->notifications.target("ops").value()->served);
  EXPECT_FALSE(this->notifications.target("ops").value()->trouble);
  EXPECT_EQ(this->notifications.target("ops").value()->told_up_to, 5u);
  EXPECT_TRUE(this->notifications.target("chat").value()->served);

  ASSERT_TRUE(this->notifications.set_targets({{"chat", {}}, {"ops", {}}}, 20));
  EXPECT_TRUE(this->notifications.target("ops").value()->served);
  EXPECT_EQ(this->notifications.target("ops").value()->told_up_to, 20u);
  EXPECT_EQ(this->notifications.target("chat").value()->told_up_to, 5u);
}

TYPED_TEST(NotificationsContract, ABuriedLetterIsKeptAndMovesItsTargetOn) {
  ASSERT_TRUE(this->notifications.bury({"ops", 5, "It answered 400.", this->at, false}));
  ASSERT_TRUE(this->notifications.bury({"ops", 4, "No answer.", this->at, false}));
  ASSERT_TRUE(this->notifications.bury({"chat", 9, "No answer.", this->at, false}));
  EXPECT_EQ(this->notifications.target("ops").value()->told_up_to, 5u);
  const auto letters = this->notifications.dead_letters("ops").value();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(letters[0].sequence, 4u);
  EXPECT_EQ(letters[1].why, "It answered 400.");
  EXPECT_EQ(letters[1].at, this->at);
  EXPECT_FALSE(letters[1].due);
  EXPECT_EQ(this->notifications.dead_letters("")->size(), 3u);
}

TYPED_TEST(NotificationsContract, TroubleStaysUntilItIsTakenBackAndCanBeHurried) {
  ASSERT_TRUE(this->notifications.set_targets({{"chat", {}}, {"ops", {}}}, 7));
  ASSERT_TRUE(this->notifications.set_trouble("ops", this->trouble()));
  ASSERT_TRUE(this->notifications.set_trouble("nobody", this->trouble()));
  ASSERT_EQ(this->notifications.targets()->size(), 2u);
  EXPECT_FALSE(this->notifications.targets()->front().trouble);
  ASSERT_TRUE(this->notifications.set_told_up_to("ops", 8));
  ASSERT_TRUE(this->notifications.bury({"ops", 9, "No answer.", this->at, false}));
  const std::optional<Trouble> trouble = this->notifications.targets()->back().trouble;
  ASSERT_TRUE(trouble);
  EXPECT_EQ(trouble->sequence, 8u);
  EXPECT_EQ(trouble->tries, 3u);
  EXPECT_EQ(trouble->since, this->at);
  EXPECT_EQ(trouble->next_try, this->at + seconds(60));
  EXPECT_EQ(trouble->why, "It answered 500.");
  ASSERT_TRUE(this->notifications.make_due("chat", this->at));
  EXPECT_EQ(this->notifications.target("ops").value()->trouble->next_try, this->at + seconds(60));
  ASSERT_TRUE(this->notifications.make_due("ops", this->at + seconds(1)));
  EXPECT_EQ(this->notifications.target("ops").value()->trouble->next_try, this->at + seconds(1));
  ASSERT_TRUE(this->notifications.set_trouble("ops", std::nullopt));
  EXPECT_FALSE(this->notifications.target("ops").value()->trouble);
}

TYPED_TEST(NotificationsContract, LettersAreSentAgainWhenSomeoneWantsThatAndGoneAfterThat) {
  ASSERT_TRUE(this->notifications.bury({"ops", 4, "No answer.", this->at, false}));
  ASSERT_TRUE(this->notifications.bury({"chat", 9, "No answer.", this->at, false}));
  EXPECT_EQ(this->notifications.make_due("ops", this->at + seconds(5)).value(), 1u);
  EXPECT_EQ(this->notifications.dead_letters("ops")->front().at, this->at + seconds(5));
  EXPECT_TRUE(this->notifications.dead_letters("ops")->front().due);
  EXPECT_FALSE(this->notifications.dead_letters("chat")->front().due);
  EXPECT_EQ(this->notifications.make_due("", this->at).value(), 2u);
  ASSERT_TRUE(this->notifications.remove("ops", 4));
  EXPECT_TRUE(this->notifications.dead_letters("ops")->empty());
  EXPECT_TRUE(this->notifications.remove("ops", 4));
}

}  // namespace
}  // namespace backstay
