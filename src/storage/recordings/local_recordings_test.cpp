#include "storage/recordings/local_recordings.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "storage/recordings/block.hpp"

namespace backstay {
namespace {

namespace fs = std::filesystem;

Observation observation(std::uint64_t n) {
  Observation o;
  o.kind = n % 5 == 4 ? Observation::Kind::kLabel : Observation::Kind::kOutcome;
  o.candidate = n % 3 == 0;
  o.pi = 0.05 + 1e-17 * static_cast<double>(n);
  o.label = static_cast<double>(n % 2);
  o.at = Monotonic(nanoseconds(1'000'000'007 * static_cast<std::int64_t>(n)));
  o.outcome.prediction = {n << 32 | 7, n * 0x9e3779b97f4a7c15ULL};
  o.outcome.cluster = n * 31;
  o.outcome.status = static_cast<std::uint16_t>(200 + n % 400);
  o.outcome.role = n % 3 == 0 ? traffic::Role::kCandidate : traffic::Role::kHoldback;
  o.outcome.ending = n % 7 == 0 ? traffic::Ending::kTimedOut : traffic::Ending::kAnswered;
  o.outcome.replayed = n % 11 == 0;
  o.outcome.fallback = n % 13 == 0;
  o.outcome.candidate_ppm = static_cast<std::uint32_t>(n);
  o.outcome.latency_us = static_cast<std::uint32_t>(n * 17);
  o.outcome.response_bytes = static_cast<std::uint32_t>(n * 19);
  o.outcome.first_byte_us = static_cast<std::uint32_t>(n * 13);
  o.examiner = static_cast<std::uint8_t>(n % 3);
  o.outcome.values[1] = static_cast<float>(n) / 3;
  o.outcome.at = Monotonic(nanoseconds(999'999'937 * static_cast<std::int64_t>(n)));
  return o;
}

bool same(const Observation& a, const Observation& b) {
  for (std::size_t i = 0; i < traffic::kMaxValues; ++i) {
    const bool both_none = std::isnan(a.outcome.values[i]) && std::isnan(b.outcome.values[i]);
    if (!both_none && a.outcome.values[i] != b.outcome.values[i]) return false;
  }
  return a.kind == b.kind && a.candidate == b.candidate && a.pi == b.pi && a.label == b.label && a.at == b.at &&
         a.outcome.prediction == b.outcome.prediction && a.outcome.cluster == b.outcome.cluster &&
         a.outcome.status == b.outcome.status && a.outcome.role == b.outcome.role &&
         a.outcome.ending == b.outcome.ending && a.outcome.replayed == b.outcome.replayed &&
         a.outcome.fallback == b.outcome.fallback && a.outcome.candidate_ppm == b.outcome.candidate_ppm &&
         a.outcome.latency_us == b.outcome.latency_us && a.outcome.response_bytes == b.outcome.response_bytes &&
         a.outcome.first_byte_us == b.outcome.first_byte_us && a.examiner == b.examiner && a.outcome.at == b.outcome.at;
}

std::vector<Observation> some(std::uint64_t from, std::uint64_t count) {
  std::vector<Observation> out;
  for (std::uint64_t n = from; n < from + count; ++n) out.push_back(observation(n));
  return out;
}

class LocalRecordingsTest : public ::testing::Test {
 protected:
  ~LocalRecordingsTest() override { fs::remove_all(root); }

  struct Read {
    std::vector<std::string> policies;
    std::vector<Observation> observations;
    RecordingStore::Recorded recorded;
  };
  Read read(const std::string& rollout) const {
    Read out;
    const auto recorded =
        LocalRecordings(root).read(rollout, {[&](const std::string& policy) -> Result<void> {
                                               out.policies.push_back(policy);
                                               return {};
                                             },
                                             [&](const Observation& o) { out.observations.push_back(o); }});
    EXPECT_TRUE(recorded);
    if (recorded) out.recorded = *recorded;
    return out;
  }
  fs::path file(const std::string& rollout) const { return root / (rollout + ".rec"); }

  const fs::path root =
      fs::path(::testing::TempDir()) / ("recordings-" + std::to_string(getpid()) + "-" +
                                        ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(LocalRecordingsTest, GivesBackWhatWasShownInOrder) {
  LocalRecordings store(root);
  ASSERT_TRUE(store.begin("e-1", "policy"));
  const std::vector<Observation> shown = some(0, recordings::kMaxObservations + 100);
  ASSERT_TRUE(store.append("e-1", shown));
  EXPECT_FALSE(read("e-1").recorded.complete);  // It is under way.
  ASSERT_TRUE(store.end("e-1", ""));
  const Read back = read("e-1");
  EXPECT_TRUE(back.recorded.complete);
  EXPECT_EQ(back.policies, std::vector<std::string>{"policy"});
  ASSERT_EQ(back.observations.size(), shown.size());
  for (std::size_t i = 0; i < shown.size(); ++i) ASSERT_TRUE(same(back.observations[i], shown[i])) << i;
}

TEST_F(LocalRecordingsTest, GoesOnAfterARestartBehindTheLastWholeBlock) {
  {
    LocalRecordings store(root);
    ASSERT_TRUE(store.begin("e-1", "before"));
    ASSERT_TRUE(store.append("e-1", some(0, 10)));
    ASSERT_TRUE(store.append("e-1", some(10, 10)));
  }
  fs::resize_file(file("e-1"), fs::file_size(file("e-1")) - 1);  // The last write was torn.
  EXPECT_EQ(read("e-1").observations.size(), 10u);
  EXPECT_NE(read("e-1").recorded.why_not.find("damaged from byte"), std::string::npos);
  LocalRecordings store(root);
  ASSERT_TRUE(store.begin("e-1", "after"));
  ASSERT_TRUE(store.append("e-1", some(100, 5)));
  ASSERT_TRUE(store.end("e-1", ""));
  const Read back = read("e-1");
  EXPECT_EQ(back.policies, (std::vector<std::string>{"before", "after"}));
  EXPECT_EQ(back.observations.size(), 15u);
  EXPECT_NE(back.recorded.why_not.find("The server was killed in between"), std::string::npos);
}

TEST_F(LocalRecordingsTest, SaysWhenTheServerWasKilledInBetweenAndNotWhenItStopped) {
  for (const bool stopped : {true, false}) {
    const std::string id = stopped ? "e-1" : "e-2";
    {
      LocalRecordings store(root);
      ASSERT_TRUE(store.begin(id, "p"));
      ASSERT_TRUE(store.append(id, some(0, 3)));
      if (stopped) {
        ASSERT_TRUE(store.suspend(id));
      }
    }
    LocalRecordings store(root);
    ASSERT_TRUE(store.begin(id, "p"));
    ASSERT_TRUE(store.end(id, ""));
    EXPECT_EQ(read(id).recorded.complete, stopped);
    EXPECT_EQ(read(id).observations.size(), 3u);
  }
}

TEST_F(LocalRecordingsTest, AnIdThatIsGivenOutAgainIsRecordedAnew) {
  LocalRecordings store(root);
  ASSERT_TRUE(store.begin("e-1", "never was"));
  ASSERT_TRUE(store.append("e-1", some(0, 3)));
  ASSERT_TRUE(store.end("e-1", ""));
  ASSERT_TRUE(store.begin("e-1", "is"));
  ASSERT_TRUE(store.append("e-1", some(10, 2)));
  ASSERT_TRUE(store.end("e-1", ""));
  EXPECT_EQ(read("e-1").policies, std::vector<std::string>{"is"});
  EXPECT_EQ(read("e-1").observations.size(), 2u);
}

TEST_F(LocalRecordingsTest, GoesOnAfterARestartAndSaysWhereAndWhetherSomethingIsMissing) {
  Observation began;
  began.kind = Observation::Kind::kReset;
  began.epoch = 3;
  {
    LocalRecordings store(root);
    ASSERT_TRUE(store.begin("e-1", "policy"));
    ASSERT_TRUE(store.append("e-1", {began}));
    ASSERT_TRUE(store.suspend("e-1"));
  }
  std::vector<std::size_t> resumed;  // After so many observations.
  std::size_t seen = 0;
  const auto read_again = [&] {
    resumed.clear();
    seen = 0;
    return LocalRecordings(root).read("e-1", {[](const std::string&) { return Result<void>(); },
                                              [&](const Observation&) { ++seen; }, [&] { resumed.push_back(seen); }});
  };
  {
    LocalRecordings store(root);
    ASSERT_TRUE(store.resume("e-1"));
    ASSERT_TRUE(store.append("e-1", some(0, 2)));
  }  // Killed.
  ASSERT_TRUE(read_again());
  EXPECT_EQ(resumed, std::vector<std::size_t>{1});
  EXPECT_EQ(read("e-1").observations.front().epoch, 3U);
  LocalRecordings store(root);
  ASSERT_TRUE(store.resume("e-1"));
  ASSERT_TRUE(store.end("e-1", ""));
  const auto back = read_again();
  ASSERT_TRUE(back);
  EXPECT_EQ(resumed, (std::vector<std::size_t>{1, 3}));
  EXPECT_EQ(seen, 3U);
  EXPECT_FALSE(back->complete);
  EXPECT_NE(back->why_not.find("killed in between"), std::string::npos);
}

TEST_F(LocalRecordingsTest, AnyChangedByteEndsWhatIsRead) {
  LocalRecordings store(root);
  ASSERT_TRUE(store.begin("e-1", "policy"));
  ASSERT_TRUE(store.append("e-1", some(0, 8)));
  ASSERT_TRUE(store.end("e-1", ""));
  std::string bytes;
  {
    std::ifstream in(file("e-1"), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool unused = i % recordings::kBlockHead >= 5 && i < 8;  // Zeros of the first head: nothing reads them.
    if (unused) continue;
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x40);
    std::ofstream(file("e-1"), std::ios::binary | std::ios::trunc) << changed;
    const Read back = read("e-1");
    const bool whole = back.recorded.complete && back.observations.size() == 8 && back.policies.size() == 1;
    const std::size_t second = recordings::kBlockHead + 6;
    const bool padding = i >= second + 5 && i < second + 8;
    const std::size_t third = bytes.size() - recordings::kBlockHead;
    const bool last_padding = i >= third + 5 && i < third + 8;
    EXPECT_EQ(whole, padding || last_padding) << "byte " << i;
  }
}

TEST_F(LocalRecordingsTest, EndsARecordingAtItsLimitAndSaysSo) {
  LocalRecordings store(root, {4096, 1 << 20});
  ASSERT_TRUE(store.begin("e-1", "policy"));
  Result<void> added;
  for (std::uint64_t n = 0; added && n < 1000; n += 20) added = store.append("e-1", some(n, 20));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::kResourceExhausted);
  EXPECT_FALSE(store.append("e-1", some(0, 1)));
  const Read back = read("e-1");
  EXPECT_FALSE(back.recorded.complete);
  EXPECT_NE(back.recorded.why_not.find("had reached the length"), std::string::npos);
  EXPECT_GT(back.observations.size(), 20u);
  EXPECT_LE(fs::file_size(file("e-1")), 4096u + 200u);
}

TEST_F(LocalRecordingsTest, RemovesTheOldestForANewOneButNotThoseUnderWay) {
  LocalRecordings store(root, {1'000'000, 3'500'000});
  for (const char* rollout : {"e-1", "f-1", "e-2"}) {
    ASSERT_TRUE(store.begin(rollout, "p"));
    ASSERT_TRUE(store.append(rollout, some(0, 10'000)));
    if (std::string(rollout) != "f-1") {
      ASSERT_TRUE(store.end(rollout, ""));
    }
    fs::resize_file(file(rollout), 900'000);
  }
  fs::last_write_time(file("f-1"), fs::file_time_type::clock::now() - std::chrono::hours(3));
  fs::last_write_time(file("e-1"), fs::file_time_type::clock::now() - std::chrono::hours(2));
  ASSERT_TRUE(store.begin("e-3", "p"));
  EXPECT_FALSE(fs::exists(file("e-1")));
  EXPECT_TRUE(fs::exists(file("f-1")));
  EXPECT_EQ(LocalRecordings(root).read("e-1", {}).error().code, ErrorCode::kNotFound);
}

TEST_F(LocalRecordingsTest, TakesNoIdThatIsAPath) {
  LocalRecordings store(root);
  for (const char* id : {"", "..", "../x", "a/b", ".hidden", "a\nb"})
    EXPECT_EQ(store.begin(id, "p").error().code, ErrorCode::kInvalidArgument) << id;
}

TEST_F(LocalRecordingsTest, OnlyItsOwnerMayReadIt) {
  LocalRecordings store(root);
  ASSERT_TRUE(store.begin("e-1", "p"));
  struct stat info {};
  ASSERT_EQ(stat(file("e-1").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(LocalRecordingsTest, ABlockOfBeforeIsReadWithoutTheFieldsThatItLacks) {
  // As the program of before wrote it.
  const std::string hex =
      "28b52ffd607a010d04003245121fb025e98760a4a188ac4ec96577ce8a128744737502a0628ce28db4d60891299f0c1f"
      "469110575daa3429523bd8e0eeee04cffaf6cb7c7f5b6f803704090cd06173e2021f71c47f15180003271e98482019c8"
      "02f281cc4016900f640632094400f200038381c1403018640d37b26d25e2f50e9d04a80514f2400609ee0b";
  std::vector<std::byte> payload;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    payload.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  const auto observations = recordings::decode_observations(payload, 1);
  ASSERT_TRUE(observations) << observations.error().message;
  ASSERT_FALSE(observations->empty());
  EXPECT_EQ(observations->front().outcome.first_byte_us, 0U);
  EXPECT_FALSE(recordings::decode_observations(payload));
}

TEST_F(LocalRecordingsTest, ABlockOfHostileBytesIsRefused) {
  const std::string good = recordings::encode_observations(some(0, 3));
  const auto payload = std::as_bytes(std::span(good)).subspan(recordings::kBlockHead);
  EXPECT_TRUE(recordings::decode_observations(payload));
  for (std::size_t cut = 0; cut < payload.size(); ++cut)
    EXPECT_FALSE(recordings::decode_observations(payload.first(cut))) << cut;
}

}  // namespace
}  // namespace backstay
