#pragma once

#include <functional>

namespace backstay::monitor {

/// Who does what: what waits for the store is done on the thread that stores, what acts on endpoints in the loop. A
/// simulation has events in their place.
struct Threads {
  using Post = std::function<void(std::function<void()> task)>;
  Post storing;
  Post loop;
};

}  // namespace backstay::monitor
