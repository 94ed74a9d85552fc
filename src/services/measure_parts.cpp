#include "services/measure_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>
#include <thread>

namespace backstay::services {

namespace {

/// Parts that are under way, for the progress. Thread-safe.
class PartCount {
 public:
  PartCount(std::size_t total, const std::string& what, const OnProgress& on_progress)
      : total_(total), what_(what), on_progress_(on_progress) {}
  void begin(const std::string& name) { tell(name, 0); }
  void end(const std::string& name) { tell(name, 1); }

 private:
  void tell(const std::string& name, std::uint64_t more) {
    if (!on_progress_) return;
    const std::lock_guard lock(mutex_);
    done_ += more;
    on_progress_({fmt::format("measuring {}: {}", what_, name), done_, total_});
  }

  const std::size_t total_;
  const std::string& what_;
  const OnProgress& on_progress_;
  std::mutex mutex_;
  std::uint64_t done_ = 0;
};

}  // namespace

std::vector<registry::Metric> measure_parts(const std::vector<evaluation::MeasuredPart>& parts, std::uint64_t parallel,
                                            const std::string& what, const OnProgress& on_progress) {
  PartCount count(parts.size(), what, on_progress);
  std::vector<std::vector<registry::Metric>> found(parts.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < parts.size(); i = next++) {
      count.begin(parts[i].name);
      found[i] = parts[i].measure();
      count.end(parts[i].name);
    }
  };
  const std::uint64_t threads = std::min<std::uint64_t>(parallel, parts.size());
  {
    std::vector<std::jthread> others;
    for (std::uint64_t i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }
  std::vector<registry::Metric> all;
  for (std::vector<registry::Metric>& each : found) std::move(each.begin(), each.end(), std::back_inserter(all));
  return all;
}

}  // namespace backstay::services
