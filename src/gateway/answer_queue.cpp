#include "gateway/answer_queue.hpp"

#include <algorithm>
#include <utility>

#include "gateway/http1.hpp"

namespace backstay::gateway {

bool AnswerRing::push(const traffic::Outcome& outcome, std::string_view version, std::string_view body, bool chunked,
                      BodyKind kind) {
  const std::size_t tail = tail_.load(std::memory_order_relaxed);
  const bool full = tail - head_.load(std::memory_order_acquire) >= kSlots;
  const std::size_t waiting = pushed_bytes_ - taken_bytes_.load(std::memory_order_acquire);
  if (full || waiting + body.size() > kMostBytes) {
    miss();
    return false;
  }
  if (slots_.empty()) slots_.resize(kSlots);  // Endpoints that are not examined cost nothing.
  Slot& slot = slots_[tail & (kSlots - 1)];
  slot.outcome = outcome;
  slot.version.assign(version);
  slot.body.assign(body);
  slot.chunked = chunked;
  slot.kind = kind;
  pushed_bytes_ += body.size();
  tail_.store(tail + 1);  // Sequentially consistent: see AnswerSignal.
  signal_.raise();
  return true;
}

std::shared_ptr<const AnswerSample> AnswerRing::take_out(std::size_t at) {
  Slot& slot = slots_[at & (kSlots - 1)];
  auto out = std::make_shared<AnswerSample>();
  out->outcome = slot.outcome;
  out->version = slot.version;
  out->kind = slot.kind;
  const std::size_t bytes = slot.body.size();
  if (slot.chunked) {
    out->body = http1::unchunked(slot.body);
  } else if (slot.body.capacity() > kKept) {
    out->body = std::exchange(slot.body, {});
  } else {
    out->body = slot.body;
  }
  if (slot.body.capacity() > kKept) std::string().swap(slot.body);
  taken_bytes_.store(taken_bytes_.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
  head_.store(at + 1, std::memory_order_release);
  return out;
}

AnswerRing& AnswerQueue::open_ring() {
  return *rings_.emplace_back(std::make_unique<AnswerRing>(signal_));
}

bool AnswerQueue::empty() const {
  return std::all_of(rings_.begin(), rings_.end(), [](const auto& ring) { return ring->empty(); });
}

bool AnswerQueue::wait() {
  while (!closed_.load() && empty()) signal_.sleep_unless([this] { return closed_.load() || !empty(); });
  return !closed_.load();
}

void AnswerQueue::close() {
  closed_.store(true);
  signal_.raise();
}

std::uint64_t AnswerQueue::missed() const {
  std::uint64_t sum = 0;
  for (const auto& ring : rings_) sum += ring->missed();
  return sum;
}

}  // namespace backstay::gateway
