#include "storage/journals/local_journals.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/random.hpp"

namespace backstay {
namespace {

class LocalJournalsTest : public testing::Test {
 protected:
  LocalJournalsTest()
      : folder_(std::filesystem::temp_directory_path() / ("journals-" + std::to_string(secure_random()))),
        journals_(folder_) {}
  ~LocalJournalsTest() override { std::filesystem::remove_all(folder_); }

  std::map<std::uint64_t, std::string> recorded() {
    auto journal = journals_.open(key_);
    EXPECT_TRUE(journal.has_value());
    return (*journal)->recorded();
  }
  std::filesystem::path file() const { return folder_ / (key_.hex() + ".journal"); }

  const std::filesystem::path folder_;
  LocalJournals journals_;
  const Digest key_ = sha256("a version and what was asked of it");
};

TEST_F(LocalJournalsTest, RemembersWhatWasAppendedUntilItIsRemoved) {
  {
    auto journal = journals_.open(key_);
    ASSERT_TRUE(journal);
    ASSERT_TRUE((*journal)->append(3, "three"));
    ASSERT_TRUE((*journal)->append(1, "one with blanks"));
  }
  EXPECT_EQ(recorded(), (std::map<std::uint64_t, std::string>{{1, "one with blanks"}, {3, "three"}}));
  journals_.remove(key_);
  EXPECT_TRUE(recorded().empty());
}

TEST_F(LocalJournalsTest, ForgetsATornLineAndGoesOnAfterTheWholeOnes) {
  {
    auto journal = journals_.open(key_);
    ASSERT_TRUE((*journal)->append(0, "first"));
    ASSERT_TRUE((*journal)->append(1, "second"));
  }
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) - 3);
  {
    auto journal = journals_.open(key_);
    ASSERT_TRUE(journal);
    EXPECT_EQ((*journal)->recorded().size(), 1U);
    ASSERT_TRUE((*journal)->append(1, "again"));
  }
  EXPECT_EQ(recorded(), (std::map<std::uint64_t, std::string>{{0, "first"}, {1, "again"}}));
}

TEST_F(LocalJournalsTest, ForgetsFromAChangedLineOn) {
  {
    auto journal = journals_.open(key_);
    ASSERT_TRUE((*journal)->append(0, "first"));
    ASSERT_TRUE((*journal)->append(1, "second"));
  }
  std::fstream out(file(), std::ios::in | std::ios::out | std::ios::binary);
  out.seekp(20);
  out.put('X');
  out.close();
  EXPECT_TRUE(recorded().empty());
}

TEST_F(LocalJournalsTest, DropsWhatNobodyTookUpForLongButNotWhatIsHeld) {
  const Digest other = sha256("another");
  const auto age = [&](const Digest& key) {
    const auto path = folder_ / (key.hex() + ".journal");
    std::filesystem::last_write_time(
        path, std::filesystem::file_time_type::clock::now() - LocalJournals::kKeptFor - std::chrono::minutes(1));
    return path;
  };
  { ASSERT_TRUE((*journals_.open(key_))->append(0, "first")); }
  age(key_);
  EXPECT_EQ(recorded().size(), 1U) << "it is the one that is taken up";
  age(key_);
  {
    auto held = journals_.open(key_);
    age(key_);
    { auto second = journals_.open(other); }
    EXPECT_TRUE(std::filesystem::exists(file())) << "somebody holds it";
  }
  { auto second = journals_.open(other); }
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(LocalJournalsTest, IsHeldByOneAtATime) {
  auto held = journals_.open(key_);
  ASSERT_TRUE(held);
  const auto second = journals_.open(key_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace backstay
