#include "base/descriptor_limit.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace backstay {

namespace {

/// How many descriptors the process may have; one that can't be asked has no limit.
rlim_t most_descriptors() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

}  // namespace

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::size_t descriptor_reserve() {
  constexpr rlim_t kMost = 512;
  return std::min(kMost, most_descriptors() / 3);
}

int highest_unreserved_descriptor() {
  constexpr rlim_t kLargest = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(most_descriptors(), kLargest) - descriptor_reserve());
}

}  // namespace backstay
