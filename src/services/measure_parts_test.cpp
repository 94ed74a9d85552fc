#include "services/measure_parts.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace backstay::services {
namespace {

std::vector<evaluation::MeasuredPart> parts(std::size_t count) {
  std::vector<evaluation::MeasuredPart> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back({"part " + std::to_string(i), [i] {
                     std::vector<registry::Metric> found(i % 3);  // Some find nothing.
                     for (registry::Metric& metric : found) metric.value = static_cast<double>(i);
                     return found;
                   }});
  return out;
}

TEST(MeasureParts, GivesTheSameWhateverTheNumberOfThreads) {
  const auto values = [](std::uint64_t parallel) {
    std::vector<double> out;
    for (const registry::Metric& metric : measure_parts(parts(40), parallel, "held-out", {}))
      out.push_back(metric.value);
    return out;
  };
  EXPECT_EQ(values(1).size(), 39u);
  EXPECT_EQ(values(8), values(1));
  EXPECT_TRUE(measure_parts({}, 8, "held-out", {}).empty());
}

TEST(MeasureParts, TellsHowManyAreDoneAndWhichIsUnderWay) {
  std::vector<Progress> told;
  measure_parts(parts(5), 2, "held-out", [&](const Progress& progress) { told.push_back(progress); });
  ASSERT_EQ(told.size(), 10u);
  EXPECT_EQ(told.front().done_bytes, 0u);
  EXPECT_TRUE(told.front().name.starts_with("measuring held-out: part "));
  EXPECT_EQ(told.back().done_bytes, 5u);
  EXPECT_EQ(told.back().total_bytes, 5u);
}

TEST(MeasureParts, MeasuresSeveralAtOnce) {
  std::mutex mutex;
  std::condition_variable both;
  int begun = 0;
  const evaluation::MeasuredPart waits{"waits for the other", [&] {
                                         std::unique_lock lock(mutex);
                                         ++begun;
                                         both.notify_all();
                                         both.wait(lock, [&] { return begun == 2; });
                                         return std::vector<registry::Metric>(1);
                                       }};
  EXPECT_EQ(measure_parts({waits, waits}, 2, "held-out", {}).size(), 2u);
}

}  // namespace
}  // namespace backstay::services
