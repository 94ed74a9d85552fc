#include "cli/progress.hpp"

#include <gtest/gtest.h>

namespace backstay::cli {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

class ProgressMeterTest : public ::testing::Test {
 protected:
  std::string at(double second, std::uint64_t done, std::uint64_t total, std::size_t columns = 120) {
    return meter.line({name, done, total}, start + microseconds(static_cast<std::int64_t>(second * 1e6)), columns);
  }
  const Monotonic start{};
  ProgressMeter meter{Unit::kBytes, start};
  std::string name = "model.onnx";
};

TEST_F(ProgressMeterTest, ShowsShareSizeRateAndTheTimeThatIsLeft) {
  EXPECT_EQ(at(0, 0, 100 * kMiB), "[....................]   0%  0 B of 100.0 MiB  model.onnx");
  EXPECT_EQ(at(2, 20 * kMiB, 100 * kMiB),
            "[####................]  20%  20.0 MiB of 100.0 MiB  10.0 MiB/s  8s left  model.onnx");
  EXPECT_EQ(at(4, 40 * kMiB, 100 * kMiB),
            "[########............]  40%  40.0 MiB of 100.0 MiB  10.0 MiB/s  6s left  model.onnx");
  EXPECT_EQ(at(10, 100 * kMiB, 100 * kMiB),
            "[####################] 100%  100.0 MiB of 100.0 MiB  10.0 MiB/s  in 10s  model.onnx");
}

TEST_F(ProgressMeterTest, IsDrawnTenTimesASecondAndAtTheEnd) {
  EXPECT_NE(at(0, 1, 100), "");
  EXPECT_EQ(at(0.05, 2, 100), "");
  EXPECT_NE(at(0.11, 3, 100), "");
  EXPECT_NE(at(0.12, 100, 100), "");
}

TEST_F(ProgressMeterTest, TheRateFollowsADiskThatSlowsDown) {
  at(0, 0, 1000 * kMiB);
  for (int second = 1; second <= 5; ++second) at(second, static_cast<std::uint64_t>(second) * 100 * kMiB, 1000 * kMiB);
  for (int second = 6; second <= 30; ++second)
    at(second, (500 + static_cast<std::uint64_t>(second - 5) * 10) * kMiB, 1000 * kMiB);
  EXPECT_NE(at(31, 760 * kMiB, 1000 * kMiB).find("10.0 MiB/s  24s left"), std::string::npos);
}

TEST_F(ProgressMeterTest, FitsTheTerminalAndCutsTheNameAtItsFront) {
  name = "artifacts/very/long/folder/names/weights.safetensors";
  const std::string narrow = at(0, 0, 100 * kMiB, 62);
  EXPECT_EQ(narrow.size(), 62U);
  EXPECT_EQ(narrow, "[....................]   0%  0 B of 100.0 MiB  ....safetensors");
  EXPECT_EQ(at(1, 10, 100 * kMiB, 10).size(), 10U);
}

TEST_F(ProgressMeterTest, ANameCantMoveTheCursor) {
  name = "a\033[2Jb\r";
  EXPECT_EQ(at(0, 0, 1).find('\033'), std::string::npos);
  EXPECT_EQ(at(1, 1, 1).find('\r'), std::string::npos);
}

TEST_F(ProgressMeterTest, AnotherCountBeginsWithARateOfItsOwn) {
  at(0, 0, 100 * kMiB);
  at(1, 100 * kMiB, 100 * kMiB);
  EXPECT_EQ(at(2, 0, 4 * kMiB), "[....................]   0%  0 B of 4.0 MiB  model.onnx");
  EXPECT_EQ(at(3, kMiB, 4 * kMiB), "[#####...............]  25%  1.0 MiB of 4.0 MiB  1.0 MiB/s  3s left  model.onnx");
}

TEST_F(ProgressMeterTest, NothingToDoIsDone) {
  EXPECT_EQ(at(0, 0, 0), "[####################] 100%  0 B of 0 B  in 0s  model.onnx");
}

TEST(ProgressMeter, CountsItems) {
  ProgressMeter meter(Unit::kItems, Monotonic{});
  meter.line({"blobs", 0, 50}, Monotonic{}, 80);
  EXPECT_EQ(meter.line({"blobs", 25, 50}, Monotonic{} + seconds(5), 80),
            "[##########..........]  50%  25 of 50  5s left  blobs");
}

TEST(ProgressMeter, WritesTimesAsPeopleDo) {
  EXPECT_EQ(clock_text(seconds(4)), "4s");
  EXPECT_EQ(clock_text(seconds(65)), "1:05");
  EXPECT_EQ(clock_text(seconds(7380)), "2:03:00");
}

}  // namespace
}  // namespace backstay::cli
