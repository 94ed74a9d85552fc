#include "base/fair_mutex.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace backstay {
namespace {

TEST(FairMutex, LetsOneInAtATime) {
  FairMutex mutex;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 5000; ++j) {
        const std::lock_guard lock(mutex);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 20000);
}

TEST(FairMutex, IsGivenInTheOrderOfAskingEvenToOneWhoJustHadIt) {
  FairMutex mutex;
  std::vector<int> order;
  const auto take = [&](int who) {
    const std::lock_guard lock(mutex);
    order.push_back(who);
  };
  mutex.lock();
  std::vector<std::thread> threads;
  for (int who = 1; who <= 3; ++who) {
    threads.emplace_back(take, who);
    while (mutex.waiting() < static_cast<std::uint64_t>(who)) std::this_thread::yield();
  }
  mutex.unlock();
  take(4);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
}

}  // namespace
}  // namespace backstay
