#include "monitor/dependent_releases.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "monitor/inbox.hpp"
#include "monitor/rollout_fixture.hpp"
#include "monitor/task_thread.hpp"
#include "storage/memory/memory_ledger.hpp"

/// What a rollback elsewhere does to endpoints, turn by turn: settle() is what the threads do until nothing is left.
namespace backstay::monitor {
namespace {

/// The log, which can't be written to for as long as the test wants.
class Log : public AuditLog {
 public:
  explicit Log(MemoryLedger& ledger) : ledger_(ledger) {}
  Result<audit::Entry> append(const audit::Draft& draft) override {
    if (full) return Unexpected(ErrorCode::kResourceExhausted, "The disk is full.");
    return ledger_.append(draft);
  }
  Result<audit::Entry> append_batch(const std::vector<audit::Draft>& drafts) override {
    return ledger_.append_batch(drafts);
  }
  Result<std::uint64_t> size() const override { return ledger_.size(); }
  Result<std::vector<audit::Entry>> read(std::uint64_t from, std::size_t limit) const override {
    return ledger_.read(from, limit);
  }
  Result<Digest> tree_node(audit::NodeId node) const override { return ledger_.tree_node(node); }
  std::atomic<bool> full{false};

 private:
  MemoryLedger& ledger_;
};

class DependentReleasesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    driver.load({"triage", "triage", "2.0.0", "1.0.0"}, {}, 1);
    ended.id = "tags-3";
    ended.endpoint = "tags";
    ended.stable = "1.1.0";
    ended.candidate = "1.0.0";
    ended.revert = true;
    ended.phase = rollout::Phase::kDone;
  }
  services::Dependent needs(const std::string& version, const std::string& target, bool candidate = false) {
    services::Dependent out;
    out.endpoint = "triage";
    out.version = version;
    out.candidate = candidate;
    out.reason = "triage@" + version + " needs ner.";
    out.evidence = R"({"because_of":"tags-3"})";
    out.because_of = "tags-3";
    out.target.version = target;
    out.target.why = target.empty() ? "nothing fits." : "it fits.";
    return out;
  }
  /// Lets the storing thread and the loop do what they were given.
  void settle() {
    for (int turn = 0; turn < 4; ++turn) {
      std::promise<void> stored;
      storing.post([&] { stored.set_value(); });
      stored.get_future().wait();
      inbox.run();
    }
  }
  std::vector<std::string> told(const std::string& action) const {
    std::vector<std::string> out;
    const std::vector<audit::Entry> entries = ledger.read(1, 100).value();
    for (const audit::Entry& entry : entries)
      if (entry.draft.action == action) out.push_back(entry.draft.reason);
    return out;
  }

  TestClock clock;
  MemoryLedger ledger{clock};
  Log log{ledger};
  DecidedWorld world;
  services::RolloutDriver driver{world, world, clock};
  Inbox inbox;
  KnownBackends known;
  rollout::State ended;
  using Found = std::vector<services::Dependent>;
  Result<Found> found = Found();
  std::atomic<int> looks{0};
  TaskThread storing;
  DependentReleases dependents{
      {driver,
       {[this](auto task) { storing.post(std::move(task)); }, [this](auto task) { inbox.post(std::move(task)); }},
       log,
       clock},
      [this](const rollout::State&, const services::IsWarm&) {
        ++looks;
        return found;
      }};
};

TEST_F(DependentReleasesTest, ReturnsWhatServesAndNeedsTheVersionThatWasLeft) {
  found = Found{needs("2.0.0", "1.0.0")};
  dependents.after(ended, known, false);
  settle();
  ASSERT_NE(driver.active("triage"), nullptr);
  EXPECT_EQ(driver.active("triage")->candidate, "1.0.0");
  EXPECT_EQ(driver.active("triage")->started_by, rollout::kSelf);
}

TEST_F(DependentReleasesTest, LeavesAnEndpointAloneThatTheConfigurationNoLongerNames) {
  found = Found{needs("2.0.0", "1.0.0"), needs("2.0.0", "", true), needs("2.0.0", "1.0.0")};
  (*found)[0].endpoint = (*found)[1].endpoint = "gone";
  dependents.after(ended, known, false);
  settle();
  EXPECT_NE(driver.active("triage"), nullptr);
}

TEST_F(DependentReleasesTest, TakesBackTheCandidateAndThenLeavesStableWhenBothNeedIt) {
  driver.start("triage", "3.0.0", rollout::default_plan(), {"alice", ""}, {});
  world.commit_all();
  driver.handle("triage", rollout::CandidateReady{});
  world.commit_all();
  found = Found{needs("3.0.0", "", true), needs("2.0.0", "1.0.0")};
  dependents.after(ended, known, false);
  settle();
  world.commit_all();
  ASSERT_NE(driver.active("triage"), nullptr);
  EXPECT_EQ(driver.active("triage")->candidate, "1.0.0");
  EXPECT_TRUE(told("dependency.broken").empty());
}

TEST_F(DependentReleasesTest, LooksAgainWhenTheCandidateWasPromotedMeanwhile) {
  driver.start("triage", "3.0.0", rollout::blue_green_plan(), {"alice", ""}, {});
  world.commit_all();
  driver.handle("triage", rollout::CandidateReady{});
  world.commit_all();
  found = Found{needs("3.0.0", "", true)};
  dependents.after(ended, known, false);
  driver.handle("triage", rollout::Promote{"alice", "sure"});
  settle();
  world.commit_all();
  ASSERT_EQ(driver.record("triage").stable, "3.0.0");
  found = Found{needs("3.0.0", "2.0.0")};
  clock.at += seconds(5);
  dependents.tick();
  settle();
  ASSERT_NE(driver.active("triage"), nullptr);
  EXPECT_EQ(driver.active("triage")->candidate, "2.0.0");
}

TEST_F(DependentReleasesTest, TellsOfNothingTwiceWhenItLooksAgain) {
  driver.load({"other", "other", "5.0.0", ""}, {}, 1);
  driver.start("triage", "3.0.0", rollout::blue_green_plan(), {"alice", ""}, {});
  world.commit_all();
  driver.handle("triage", rollout::CandidateReady{});
  world.commit_all();
  services::Dependent broken = needs("5.0.0", "");
  broken.endpoint = "other";
  found = Found{needs("3.0.0", "", true), broken};
  dependents.after(ended, known, false);
  driver.handle("triage", rollout::Promote{"alice", "sure"});
  settle();
  world.commit_all();
  clock.at += seconds(5);
  dependents.tick();
  settle();
  EXPECT_EQ(looks, 2);
  EXPECT_EQ(told("dependency.broken").size(), 1U);
}

TEST_F(DependentReleasesTest, DoesNotCallOffAReturnToAVersionThatNeedsIt) {
  driver.roll_back("triage", "bob", "complaints", {});
  world.commit_all();
  found = Found{needs("1.0.0", "", true)};
  dependents.after(ended, known, false);
  settle();
  ASSERT_NE(driver.active("triage"), nullptr);
  EXPECT_EQ(driver.active("triage")->candidate, "1.0.0");
  EXPECT_EQ(told("dependency.broken").size(), 1U);
}

TEST_F(DependentReleasesTest, SaysWhatIsBrokenOnceHoweverOftenTheServerStarts) {
  found = Found{needs("2.0.0", "")};
  dependents.after(ended, known, true);  // The server ended before it could say so the first time.
  settle();
  dependents.after(ended, known, true);
  settle();
  EXPECT_EQ(told("dependency.broken"),
            std::vector<std::string>{"triage@2.0.0 needs ner. It goes on serving: nothing fits."});
  ended.id = "tags-5";
  found = Found{needs("2.0.0", "")};
  (*found)[0].because_of = "tags-5";
  dependents.after(ended, known, true);
  settle();
  EXPECT_EQ(told("dependency.broken").size(), 2U);
}

TEST_F(DependentReleasesTest, TriesAgainWhatTheStoreCouldNotDo) {
  found = Unexpected(ErrorCode::kUnavailable, "The database is locked.");
  dependents.after(ended, known, false);
  settle();
  EXPECT_EQ(looks, 1);
  found = Found{needs("2.0.0", "")};
  log.full = true;
  dependents.tick();
  settle();
  EXPECT_EQ(looks, 1) << "Not at once.";
  clock.at += seconds(5);
  dependents.tick();
  settle();
  EXPECT_EQ(looks, 2);
  log.full = false;
  clock.at += seconds(5);
  dependents.tick();
  settle();
  EXPECT_EQ(told("dependency.broken").size(), 1U);
}

TEST_F(DependentReleasesTest, SaysWhatCouldNotBeRead) {
  found = Found{needs("2.0.0", "")};
  (*found)[0].unknown = true;
  dependents.after(ended, known, false);
  settle();
  EXPECT_TRUE(told("dependency.broken").empty());
  EXPECT_EQ(told("dependency.unknown").size(), 1U);
  EXPECT_EQ(driver.active("triage"), nullptr);
}

}  // namespace
}  // namespace backstay::monitor
