#include "classify/served_version.hpp"

#include <utility>

namespace backstay::classify {

ServedVersion::ServedVersion(const std::string& name, Start start, milliseconds retry)
    : start_(std::move(start)),
      retry_(retry),
      why_not_(name + " is starting."),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void ServedVersion::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto started = start_(stop);
    std::unique_lock lock(mutex_);
    if (!started) {
      why_not_ = started.error().message;
      changed_.wait_for(lock, stop, retry_, [] { return false; });
      continue;
    }
    runner_ = *std::move(started);
    changed_.wait(lock, stop, [this] { return runner_ == nullptr; });
  }
}

Result<std::shared_ptr<ModelRunner>> ServedVersion::runner() {
  const std::lock_guard lock(mutex_);
  if (!runner_) return Unexpected(ErrorCode::kUnavailable, why_not_);
  return runner_;
}

void ServedVersion::lost(const std::shared_ptr<ModelRunner>& runner, const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (runner_ != runner) return;
    why_not_ = why;
    runner_.reset();
  }
  changed_.notify_all();
}

}  // namespace backstay::classify
