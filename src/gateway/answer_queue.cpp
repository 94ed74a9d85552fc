#include "gateway/answer_queue.hpp"

#include <utility>

namespace backstay::gateway {

bool AnswerQueue::push(AnswerSample sample) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || samples_.size() >= kMost || bytes_ + sample.body.size() > kMostBytes) {
      ++missed_;
      return false;
    }
    bytes_ += sample.body.size();
    samples_.push_back(std::move(sample));
  }
  changed_.notify_one();
  return true;
}

void AnswerQueue::miss() {
  const std::lock_guard lock(mutex_);
  ++missed_;
}

std::optional<AnswerSample> AnswerQueue::pop() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || !samples_.empty(); });
  if (samples_.empty()) return std::nullopt;
  AnswerSample out = std::move(samples_.front());
  samples_.pop_front();
  bytes_ -= out.body.size();
  return out;
}

void AnswerQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

std::uint64_t AnswerQueue::missed() const {
  const std::lock_guard lock(mutex_);
  return missed_;
}

}  // namespace backstay::gateway
