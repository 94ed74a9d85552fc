#include "storage/live_windows/local_live_windows.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/temporary_folder.hpp"

namespace backstay {
namespace {

namespace fs = std::filesystem;

class LiveWindows : public testing::Test {
 protected:
  static LiveWindow window(int minute, const std::string& version = "1.0.0", const std::string& segment = "") {
    LiveWindow out;
    out.endpoint = "e";
    out.version = version;
    out.segment = segment;
    out.from = Timestamp(std::chrono::minutes(minute));
    out.until = out.from + seconds(59);
    out.requests = 7;
    out.profile = R"({"profile":"backstay-profile/2"})";
    return out;
  }
  const TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
};

TEST_F(LiveWindows, ComeBackOldestFirstAndOnlyThoseAfterAMoment) {
  LocalLiveWindows store(root_);
  for (const int minute : {3, 1, 2}) ASSERT_TRUE(store.keep(window(minute)));
  const auto all = store.windows("e", std::nullopt);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[0].from, Timestamp(std::chrono::minutes(1)));
  EXPECT_EQ((*all)[0].requests, 7u);
  EXPECT_EQ((*all)[0].profile, window(1).profile);
  EXPECT_EQ(store.windows("e", Timestamp(std::chrono::minutes(3)))->size(), 1u);
  EXPECT_TRUE(store.windows("other", std::nullopt)->empty());
}

TEST_F(LiveWindows, AWindowThatIsKeptAgainReplacesItself) {
  LocalLiveWindows store(root_);
  LiveWindow more = window(1);
  ASSERT_TRUE(store.keep(more));
  more.requests = 9;
  ASSERT_TRUE(store.keep(more));
  ASSERT_TRUE(store.keep(window(1, "2.0.0")));
  ASSERT_TRUE(store.keep(window(1, "1.0.0", "site a/b")));
  const auto all = store.windows("e", std::nullopt);
  ASSERT_EQ(all->size(), 3u);
  std::uint64_t requests = 0;
  for (const LiveWindow& each : *all) requests += each.requests;
  EXPECT_EQ(requests, 9u + 7 + 7);
}

TEST_F(LiveWindows, TheOldestGoWhenThereAreTooMany) {
  LocalLiveWindows store(root_, {3, 1 << 20});
  for (int minute = 0; minute < 10; ++minute) ASSERT_TRUE(store.keep(window(minute)));
  const auto all = store.windows("e", std::nullopt);
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[0].from, Timestamp(std::chrono::minutes(7)));
}

TEST_F(LiveWindows, ADamagedFileIsToldAndNamesThatLeaveTheFolderAreRefused) {
  LocalLiveWindows store(root_);
  ASSERT_TRUE(store.keep(window(1)));
  std::ofstream(root_ / "e" / "5-1.0.0-all.window") << "{}\n";
  EXPECT_EQ(store.windows("e", std::nullopt).error().code, ErrorCode::kIntegrity);
  LiveWindow bad = window(1);
  bad.endpoint = "../x";
  EXPECT_EQ(store.keep(bad).error().code, ErrorCode::kInvalidArgument);
  bad = window(1, "a/b");
  EXPECT_EQ(store.keep(bad).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace backstay
