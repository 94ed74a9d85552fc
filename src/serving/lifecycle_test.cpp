#include "serving/lifecycle.hpp"

#include <gtest/gtest.h>

namespace backstay::serving {
namespace {

Monotonic at(double s) {
  return Monotonic(std::chrono::duration_cast<Monotonic::duration>(std::chrono::duration<double>(s)));
}

TEST(Lifecycle, BecomesReadyAndUnhealthyAfterThreeFailedProbes) {
  Lifecycle life(true, seconds(10));
  life.started(at(0));
  life.probed(false, at(0.1));
  EXPECT_EQ(life.state(), BackendState::kStarting);
  life.probed(true, at(0.2));
  EXPECT_EQ(life.state(), BackendState::kReady);
  life.probed(false, at(1));
  life.probed(false, at(2));
  EXPECT_EQ(life.state(), BackendState::kReady);
  life.probed(false, at(3));
  EXPECT_EQ(life.state(), BackendState::kUnhealthy);
  life.probed(true, at(4));
  EXPECT_EQ(life.state(), BackendState::kReady);
}

TEST(Lifecycle, KillsWhatStaysUnhealthy) {
  Lifecycle life(true, seconds(10));
  life.started(at(0));
  life.probed(true, at(1));
  for (int i = 0; i < 3; ++i) life.probed(false, at(2));
  EXPECT_EQ(life.tick(at(11)), Order::kNone);
  EXPECT_EQ(life.tick(at(12)), Order::kKill);
  life.exited(at(12));
  EXPECT_EQ(life.state(), BackendState::kBackingOff);
}

TEST(Lifecycle, GivesUpWhatNeverBecameHealthyInTime) {
  Lifecycle life(true, seconds(10));
  life.started(at(0));
  EXPECT_EQ(life.tick(at(9.9)), Order::kNone);
  EXPECT_EQ(life.tick(at(10)), Order::kKill);
  life.exited(at(10.1));
  EXPECT_EQ(life.state(), BackendState::kFailed);
  EXPECT_TRUE(life.timed_out());
  EXPECT_EQ(life.tick(at(1000)), Order::kNone);
}

TEST(Lifecycle, GivesUpAfterFiveStartsThatEndedBeforeItWasReady) {
  Lifecycle life(true, seconds(10));
  double now = 0;
  for (int i = 0; i < 5; ++i) {
    life.started(at(now));
    now += 0.1;
    life.exited(at(now));
    if (i < 4) {
      EXPECT_EQ(life.state(), BackendState::kBackingOff);
      now += 60;
      EXPECT_EQ(life.tick(at(now)), Order::kStart);
    }
  }
  EXPECT_EQ(life.state(), BackendState::kFailed);
}

TEST(Lifecycle, RestartsWithDoublingDelaysWhatWasReadyBefore) {
  Lifecycle life(true, seconds(10));
  double now = 0;
  for (const double delay : {0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0}) {
    life.started(at(now));
    life.probed(true, at(now));
    life.exited(at(now));
    EXPECT_EQ(life.tick(at(now + delay - 0.01)), Order::kNone) << delay;
    now += delay;
    EXPECT_EQ(life.tick(at(now)), Order::kStart) << delay;
  }
  life.started(at(now));
  life.probed(true, at(now));
  now += 61;
  life.exited(at(now));
  EXPECT_EQ(life.tick(at(now + 0.5)), Order::kStart);
  EXPECT_EQ(life.restarts(), 8u);
}

TEST(Lifecycle, AUrlIsOnlyWatched) {
  Lifecycle life(false, seconds(10));
  life.started(at(0));
  EXPECT_EQ(life.tick(at(10)), Order::kNone);
  EXPECT_EQ(life.state(), BackendState::kUnhealthy);
  EXPECT_EQ(life.tick(at(1000)), Order::kNone);
  life.probed(true, at(1001));
  EXPECT_EQ(life.state(), BackendState::kReady);
}

}  // namespace
}  // namespace backstay::serving
