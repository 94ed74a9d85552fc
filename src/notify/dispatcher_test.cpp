#include "notify/dispatcher.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "notify/notify_fixture.hpp"
#include "storage/memory/memory_ledger.hpp"

namespace backstay::notify {
namespace {

class DispatcherTest : public ::testing::Test {
 protected:
  std::unique_ptr<Dispatcher> start(const std::vector<std::string>& names = {"t"}) {
    std::vector<Target> targets;
    for (const std::string& name : names) {
      targets.push_back(target(Target::Kind::kWebhook));
      targets.back().name = name;
      targets.back().url = "https://example.org/" + name;
    }
    auto dispatcher = std::make_unique<Dispatcher>(
        Ports{ledger, ledger, messenger, clock, [](const auto&, const auto&) { return ""; }, [](const std::string&) {}},
        std::move(targets));
    EXPECT_TRUE(dispatcher->start());
    return dispatcher;
  }
  void append(const char* action) {
    audit::Draft draft = rollback();
    draft.action = action;
    ASSERT_TRUE(ledger.append(draft));
  }
  static std::string type(const Message& message) { return nlohmann::json::parse(message.body)["type"]; }

  HandClock clock;
  MemoryLedger ledger{clock};
  FakeMessenger messenger;
};

TEST_F(DispatcherTest, ANewTargetHearsOfWhatComesFromNowOn) {
  append("rollout.rollback");
  const auto dispatcher = start();
  append("rollout.done");
  dispatcher->wake();
  EXPECT_EQ(type(messenger.wait_for(1)[0]), "rollout.done");
}

TEST_F(DispatcherTest, GoesOnWhereTheLastProcessStopped) {
  auto dispatcher = start();
  append("rollout.start");
  dispatcher->wake();
  messenger.wait_for(1);
  dispatcher->stop();
  append("rollout.rollback");
  dispatcher = start();
  EXPECT_EQ(type(messenger.wait_for(2)[1]), "rollout.rollback");
}

TEST_F(DispatcherTest, ATargetThatHangsHoldsUpNoOtherAndNotTheEnd) {
  messenger.usually([](const Message& message) -> Result<Sent> {
    if (message.url.find("hangs") == std::string::npos) return Sent{200, ""};
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    changed.wait(lock, message.stop, [] { return false; });
    return Unexpected(ErrorCode::kUnavailable, "This process ends.");
  });
  const auto dispatcher = start({"hangs", "other"});
  append("rollout.start");
  append("rollout.done");
  dispatcher->wake();
  messenger.wait_for(3);
  dispatcher->stop();
  EXPECT_EQ(ledger.target("hangs").value()->told_up_to, 0u);  // The next process tries it again.
  EXPECT_FALSE(ledger.target("hangs").value()->trouble);
  EXPECT_EQ(ledger.target("other").value()->told_up_to, 2u);
}

TEST_F(DispatcherTest, StoppingDoesNotWaitForTheNextTry) {
  messenger.usually([](const Message&) { return Sent{503, "", std::chrono::hours(1)}; });
  const auto dispatcher = start();
  append("rollout.rollback");
  dispatcher->wake();
  messenger.wait_for(1);
  dispatcher->stop();
  EXPECT_TRUE(ledger.dead_letters("t")->empty());
  EXPECT_EQ(ledger.target("t").value()->told_up_to, 0u);
}

}  // namespace
}  // namespace backstay::notify
