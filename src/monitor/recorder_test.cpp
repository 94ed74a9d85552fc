#include "monitor/recorder.hpp"

#include <gtest/gtest.h>

#include <mutex>

namespace backstay::monitor {
namespace {

/// Remembers what it was told, and fails to append when the test says so.
class FakeStore : public RecordingStore {
 public:
  Result<void> begin(const std::string& rollout, const std::string& policy) override {
    return note("begin " + rollout + " " + policy);
  }
  Result<void> resume(const std::string& rollout) override { return note("resume " + rollout); }
  Result<void> append(const std::string& rollout, const std::vector<Observation>& observations) override {
    if (full) return Unexpected(ErrorCode::kResourceExhausted, "The disk is full.");
    return note("append " + rollout + " " + std::to_string(observations.size()));
  }
  Result<void> suspend(const std::string& rollout) override { return note("suspend " + rollout); }
  Result<void> end(const std::string& rollout, const std::string& why) override {
    return note("end " + rollout + (why.empty() ? "" : " incomplete"));
  }
  Result<Recorded> read(const std::string&, const Reader&) const override { return Recorded{}; }

  std::vector<std::string> calls;
  std::atomic<bool> full{false};

 private:
  Result<void> note(const std::string& call) {
    calls.push_back(call);
    return {};
  }
};

const Monotonic kStart{};

TEST(Recorder, WritesWhatHasWaitedAndEndsWithTheRollout) {
  FakeStore store;
  Recorder recorder(&store, "p");
  recorder.show("e-1", {}, kStart);
  recorder.tick("e-1", kStart + milliseconds(199));
  recorder.show("e-1", {}, kStart + milliseconds(199));
  recorder.tick("e-1", kStart + milliseconds(200));
  recorder.show("e-1", {}, kStart + seconds(2));
  recorder.tick("", kStart + seconds(2));
  recorder.finish();
  EXPECT_EQ(store.calls, (std::vector<std::string>{"begin e-1 p", "append e-1 2", "append e-1 1", "end e-1"}));
}

TEST(Recorder, ADecisionIsWrittenAtOnceAndAStopSaysThatNothingIsMissing) {
  FakeStore store;
  Recorder recorder(&store, "p");
  recorder.show("e-1", {}, kStart);
  recorder.decided();
  recorder.show("e-1", {}, kStart);
  recorder.finish();
  EXPECT_EQ(store.calls, (std::vector<std::string>{"begin e-1 p", "append e-1 1", "append e-1 1", "suspend e-1"}));
}

TEST(Recorder, AfterAFailureItIsToldThatSomethingIsMissingAndTheNextRolloutIsRecorded) {
  FakeStore store;
  Recorder recorder(&store, "p");
  store.full = true;
  recorder.show("e-1", {}, kStart);
  recorder.tick("", kStart);
  recorder.show("e-1b", {}, kStart);  // Still full.
  recorder.finish();
  EXPECT_EQ(store.calls, (std::vector<std::string>{"begin e-1 p", "end e-1 incomplete", "begin e-1b p"}));

  FakeStore other;
  Recorder next(&other, "p");
  next.show("e-2", {}, kStart);
  next.tick("", kStart);
  next.show("e-3", {}, kStart);
  next.tick("", kStart);
  next.finish();
  EXPECT_EQ(other.calls, (std::vector<std::string>{"begin e-2 p", "append e-2 1", "end e-2", "begin e-3 p",
                                                   "append e-3 1", "end e-3"}));
}

TEST(Recorder, GoesOnWithARolloutThatAnEarlierProcessRecorded) {
  FakeStore store;
  Recorder recorder(&store, "p");
  recorder.resume("e-1");
  recorder.show("e-1", {}, kStart);
  recorder.tick("", kStart);
  recorder.finish();
  EXPECT_EQ(store.calls, (std::vector<std::string>{"resume e-1", "append e-1 1", "end e-1"}));
}

TEST(Recorder, WithoutAStoreDoesNothing) {
  Recorder recorder(nullptr, "p");
  recorder.show("e-1", {}, kStart);
  recorder.decided();
  recorder.tick("", kStart);
  recorder.finish();
}

}  // namespace
}  // namespace backstay::monitor
