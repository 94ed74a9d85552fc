#include "gateway/answer_queue.hpp"

#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <thread>

namespace backstay::gateway {
namespace {

traffic::Outcome numbered(std::uint64_t number) {
  traffic::Outcome outcome;
  outcome.prediction.low = number;
  return outcome;
}

std::vector<std::string> bodies(AnswerQueue& queue) {
  std::vector<std::string> all;
  queue.drain([&](const std::shared_ptr<const AnswerSample>& sample) { all.push_back(sample->body); });
  return all;
}

TEST(AnswerQueue, GivesCopiesWithTheirVersionAndWithoutChunks) {
  AnswerQueue queue;
  AnswerRing& ring = queue.open_ring();
  EXPECT_TRUE(ring.push(numbered(7), "1.0.0", "whole", false));
  EXPECT_TRUE(ring.push(numbered(8), "2.0.0", "3\r\nchu\r\n3\r\nnks\r\n0\r\n\r\n", true));
  std::vector<std::shared_ptr<const AnswerSample>> got;
  EXPECT_EQ(queue.drain([&](auto sample) { got.push_back(std::move(sample)); }), 2u);
  EXPECT_EQ(got[0]->outcome.prediction.low, 7u);
  EXPECT_EQ(got[0]->version, "1.0.0");
  EXPECT_EQ(got[0]->body, "whole");
  EXPECT_EQ(got[1]->version, "2.0.0");
  EXPECT_EQ(got[1]->body, "chunks");
}

TEST(AnswerQueue, LosesAndCountsWhatDoesNotFit) {
  AnswerQueue queue;
  AnswerRing& ring = queue.open_ring();
  for (std::size_t i = 0; i < AnswerRing::kSlots; ++i) ASSERT_TRUE(ring.push(numbered(i), "1.0.0", "x", false));
  EXPECT_FALSE(ring.push(numbered(0), "1.0.0", "x", false));
  EXPECT_EQ(queue.missed(), 1u);
  EXPECT_EQ(bodies(queue).size(), AnswerRing::kSlots);
  EXPECT_TRUE(ring.push(numbered(0), "1.0.0", "x", false));
  ring.miss();
  EXPECT_EQ(queue.missed(), 2u);
}

TEST(AnswerQueue, HoldsSoManyBytesAndNoMore) {
  AnswerQueue queue;
  AnswerRing& ring = queue.open_ring();
  EXPECT_FALSE(ring.push(numbered(0), "1.0.0", std::string(AnswerRing::kMostBytes + 1, 'x'), false));
  EXPECT_TRUE(ring.push(numbered(1), "1.0.0", std::string(AnswerRing::kMostBytes, 'x'), false));
  EXPECT_FALSE(ring.push(numbered(2), "1.0.0", "x", false));
  ASSERT_EQ(bodies(queue).size(), 1u);
  EXPECT_TRUE(ring.push(numbered(3), "1.0.0", "x", false));
  EXPECT_EQ(bodies(queue), std::vector<std::string>{"x"});
  AnswerRing& other = queue.open_ring();
  EXPECT_TRUE(other.push(numbered(4), "1.0.0", "y", false));
  EXPECT_EQ(bodies(queue), std::vector<std::string>{"y"});
}

// Each producer fills its ring while the consumer sleeps, takes and is closed: nothing is lost uncounted, torn or out
// of order. Run under ThreadSanitizer by ./dev check tsan.
TEST(AnswerQueue, SeveralThreadsAndOneThatSleepsLoseNothingUncounted) {
  constexpr std::uint64_t kProducers = 3, kEach = 20'000;
  AnswerQueue queue;
  std::vector<AnswerRing*> rings;
  for (std::uint64_t i = 0; i < kProducers; ++i) rings.push_back(&queue.open_ring());
  std::uint64_t taken = 0;
  std::map<std::string, std::uint64_t> newest;
  std::latch last(1);
  std::thread consumer([&] {
    while (queue.wait()) {
      queue.drain([&](const std::shared_ptr<const AnswerSample>& sample) {
        const std::uint64_t number = sample->outcome.prediction.low;
        ASSERT_EQ(sample->body, std::string(number % 40'000 < 20 ? 20'000 : number % 50, 'x'));
        if (number == kEach) return last.count_down();  // Pushed when the others were done.
        std::uint64_t& before = newest[sample->version];
        ASSERT_GT(number + 1, before);
        before = number + 1;
        ++taken;
      });
    }
  });
  std::atomic<std::uint64_t> refused{0};
  {
    std::vector<std::jthread> producers;
    for (std::uint64_t i = 0; i < kProducers; ++i)
      producers.emplace_back([&, i] {
        for (std::uint64_t n = 0; n < kEach; ++n) {
          const std::string body(n % 40'000 < 20 ? 20'000 : n % 50, 'x');
          if (!rings[i]->push(numbered(n), std::to_string(i), body, false)) ++refused;
        }
      });
  }
  const std::uint64_t missed = queue.missed();
  while (!rings.back()->push(numbered(kEach), "end", std::string(kEach % 50, 'x'), false)) std::this_thread::yield();
  last.wait();
  queue.close();
  consumer.join();
  EXPECT_EQ(missed, refused);
  // What came to another ring while the last one's was taken.
  queue.drain([&](const auto&) { ++taken; });
  EXPECT_EQ(taken + refused, kProducers * kEach);
}

TEST(AnswerQueue, ClosingWakesWhoWaitsForAnswers) {
  AnswerQueue queue;
  queue.open_ring();
  std::thread consumer([&] { EXPECT_FALSE(queue.wait()); });
  queue.close();
  consumer.join();
}

}  // namespace
}  // namespace backstay::gateway
