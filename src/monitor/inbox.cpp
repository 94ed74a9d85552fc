#include "monitor/inbox.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>

namespace backstay::monitor {

Inbox::Inbox() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Inbox::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake();
}

void Inbox::wake() const {
  const std::uint64_t one = 1;
  static_cast<void>(!write(event_.get(), &one, sizeof one));
}

void Inbox::wait(long timeout_us) const {
  pollfd event{event_.get(), POLLIN, 0};
  const timespec timeout{timeout_us / 1'000'000, (timeout_us % 1'000'000) * 1000};
  if (ppoll(&event, 1, timeout_us < 0 ? nullptr : &timeout, nullptr) <= 0) return;
  std::uint64_t count = 0;
  static_cast<void>(!read(event_.get(), &count, sizeof count));
}

void Inbox::run() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
}

}  // namespace backstay::monitor
