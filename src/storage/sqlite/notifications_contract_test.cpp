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
};
TYPED_TEST_SUITE(NotificationsContract, ContractStores);

TYPED_TEST(NotificationsContract, ATargetIsNewUntilItWasToldAndNeverGoesBack) {
  EXPECT_FALSE(this->notifications.told_up_to("ops")->has_value());
  ASSERT_TRUE(this->notifications.set_told_up_to("ops", 7));
  ASSERT_TRUE(this->notifications.set_told_up_to("ops", 3));
  EXPECT_EQ(this->notifications.told_up_to("ops")->value(), 7u);
  EXPECT_FALSE(this->notifications.told_up_to("chat")->has_value());
}

TYPED_TEST(NotificationsContract, ABuriedLetterIsKeptAndMovesItsTargetOn) {
  ASSERT_TRUE(this->notifications.bury({"ops", 5, "It answered 400.", this->at, false}));
  ASSERT_TRUE(this->notifications.bury({"ops", 4, "No answer.", this->at, false}));
  ASSERT_TRUE(this->notifications.bury({"chat", 9, "No answer.", this->at, false}));
  EXPECT_EQ(this->notifications.told_up_to("ops")->value(), 5u);
  const auto letters = this->notifications.dead_letters("ops").value();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(letters[0].sequence, 4u);
  EXPECT_EQ(letters[1].why, "It answered 400.");
  EXPECT_EQ(letters[1].at, this->at);
  EXPECT_FALSE(letters[1].due);
  EXPECT_EQ(this->notifications.dead_letters("")->size(), 3u);
}

TYPED_TEST(NotificationsContract, TroubleIsToldUntilTheTargetIs) {
  ASSERT_TRUE(this->notifications.set_told_up_to("ops", 7));
  ASSERT_TRUE(this->notifications.set_trouble("ops", "It answered 500."));
  ASSERT_TRUE(this->notifications.set_trouble("nobody", "x"));
  ASSERT_EQ(this->notifications.targets()->size(), 1u);
  EXPECT_EQ(this->notifications.targets()->front().trouble, "It answered 500.");
  EXPECT_EQ(this->notifications.targets()->front().told_up_to, 7u);
  ASSERT_TRUE(this->notifications.set_told_up_to("ops", 8));
  EXPECT_EQ(this->notifications.targets()->front().trouble, "");
}

TYPED_TEST(NotificationsContract, LettersAreSentAgainWhenSomeoneWantsThatAndGoneAfterThat) {
  ASSERT_TRUE(this->notifications.bury({"ops", 4, "No answer.", this->at, false}));
  ASSERT_TRUE(this->notifications.bury({"chat", 9, "No answer.", this->at, false}));
  EXPECT_EQ(this->notifications.make_due("ops").value(), 1u);
  EXPECT_TRUE(this->notifications.dead_letters("ops")->front().due);
  EXPECT_FALSE(this->notifications.dead_letters("chat")->front().due);
  EXPECT_EQ(this->notifications.make_due("").value(), 2u);
  ASSERT_TRUE(this->notifications.remove("ops", 4));
  EXPECT_TRUE(this->notifications.dead_letters("ops")->empty());
  EXPECT_TRUE(this->notifications.remove("ops", 4));
}

}  // namespace
}  // namespace backstay
